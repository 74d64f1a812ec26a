// Delivery by a function: nothing runs while there is no mail. It stands in the private network, so that next hops see the
// same addresses as with tasks. A batch is answered by the jobs that failed; what the time does not suffice for is given back.
import { Duration } from 'aws-cdk-lib'
import { type IVpc, SecurityGroup } from 'aws-cdk-lib/aws-ec2'
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources'
import { Construct } from 'constructs'
import { JOB_QUEUE } from '../../src/storage/aws-schema.ts'
import { DELIVERY_FUNCTION } from '../scaling-targets.ts'
import { grantRole } from './access.ts'
import { allowEgress, nextHopPorts } from './egress.ts'
import { gatewayEnvironment } from './gateway-environment.ts'
import type { PipelineParts } from './gateway-task.ts'
import { NodeFunction } from './node-function.ts'
import type { Secrets } from './secrets.ts'
import { functionSecrets, grantSecrets } from './service-secrets.ts'

export type DeliveryLambdaProps = Omit<PipelineParts, 'metrics'> & Readonly<{ vpc: IVpc; secrets: Secrets }>

export class DeliveryLambda extends Construct {
  readonly function: NodeFunction

  constructor(scope: Construct, id: string, { vpc, settings, storage, secrets }: DeliveryLambdaProps) {
    super(scope, id)
    const { delivery, logDays, routes } = settings
    const group = new SecurityGroup(this, 'Group', { vpc, allowAllOutbound: false })
    allowEgress(group, { mail: nextHopPorts(routes) })
    this.function = new NodeFunction(this, 'Function', {
      name: 'deliver',
      description: 'Delivers messages to their next hops',
      logDays,
      // No longer than the queue hides a message: SQS refuses that. The lease of a job is in its row.
      timeout: Duration.seconds(JOB_QUEUE.visibilityTimeout),
      memorySize: DELIVERY_FUNCTION.memory,
      environment: { ...gatewayEnvironment(settings, 'delivery', storage), ...functionSecrets('delivery', secrets) },
      vpc,
      vpcSubnets: { subnetGroupName: 'private' },
      securityGroups: [group],
    })
    grantRole(this.function, 'delivery', storage)
    grantSecrets(this.function, 'delivery', secrets)
    this.function.addEventSource(
      new SqsEventSource(storage.deliveryJobs.queue, {
        batchSize: DELIVERY_FUNCTION.batch,
        maxConcurrency: delivery.concurrency,
        reportBatchItemFailures: true,
      }),
    )
  }
}
