// Delivery by tasks: connections to next hops stay open from one message to the next. Only these tasks may speak SMTP to
// the world, on the ports that the routes name.
import { type IVpc, SecurityGroup } from 'aws-cdk-lib/aws-ec2'
import { FargateService, type ICluster } from 'aws-cdk-lib/aws-ecs'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { BacklogScaling } from './backlog-scaling.ts'
import { DEPLOYMENT } from './deployment.ts'
import { allowEgress, nextHopPorts } from './egress.ts'
import { GatewayTask, type PipelineParts } from './gateway-task.ts'
import type { Secrets } from './secrets.ts'
import { containerSecrets } from './service-secrets.ts'

export type DeliveryServiceProps = PipelineParts & Readonly<{ vpc: IVpc; cluster: ICluster; secrets: Secrets }>

export class DeliveryService extends Construct {
  readonly service: FargateService

  constructor(scope: Construct, id: string, props: DeliveryServiceProps) {
    super(scope, id)
    const { vpc, cluster, settings, storage, secrets } = props
    const { tasks, backlogPerTask } = settings.delivery
    const task = new GatewayTask(this, 'Task', {
      ...props,
      role: 'delivery',
      entry: 'delivery-worker',
      size: tasks,
      secrets: containerSecrets('delivery', secrets),
    })
    const group = new SecurityGroup(this, 'TaskGroup', { vpc, allowAllOutbound: false })
    allowEgress(group, { mail: nextHopPorts(settings.routes) })
    this.service = new FargateService(this, 'Service', {
      ...DEPLOYMENT,
      cluster,
      taskDefinition: task.definition,
      securityGroups: [group],
      vpcSubnets: { subnetGroupName: 'private' },
    })
    new BacklogScaling(this, 'Scaling', {
      service: this.service,
      queue: storage.deliveryJobs.queue as IQueue,
      tasks,
      backlogPerTask,
    })
  }
}
