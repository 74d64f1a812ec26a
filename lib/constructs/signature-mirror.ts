// The one freshclam of a stage: ClamAV's servers limit those who ask often, and all tasks share an address. A scheduled task
// takes what the bucket has, asks for the differences, and puts back what is new and loads. Scanners follow the bucket.
import { Duration, Stack } from 'aws-cdk-lib'
import { type IVpc, SecurityGroup, SubnetType } from 'aws-cdk-lib/aws-ec2'
import {
  type CfnCluster,
  ContainerDependencyCondition,
  CpuArchitecture,
  FargateTaskDefinition,
  type ICluster,
  type ITaskDefinition,
  LogDriver,
  OperatingSystemFamily,
} from 'aws-cdk-lib/aws-ecs'
import { Rule, Schedule } from 'aws-cdk-lib/aws-events'
import { EcsTask } from 'aws-cdk-lib/aws-events-targets'
import { Construct } from 'constructs'
import type { Storage } from '../data-stack.ts'
import type { DeploymentSettings } from '../deployment-settings.ts'
import { grantSignatureMirror } from './access.ts'
import { acknowledge } from './acknowledge.ts'
import { allowEgress } from './egress.ts'
import { ownImage } from './images.ts'
import { logGroup } from './log-group.ts'

const DIRECTORY = '/var/lib/clamav'

export type SignatureMirrorProps = Readonly<{
  settings: DeploymentSettings
  storage: Storage
  vpc: IVpc
  cluster: ICluster
}>

export class SignatureMirror extends Construct {
  constructor(scope: Construct, id: string, { settings, storage, vpc, cluster }: SignatureMirrorProps) {
    super(scope, id)
    const definition = new FargateTaskDefinition(this, 'Definition', {
      cpu: 512,
      // freshclam loads a new set to see that it is whole.
      memoryLimitMiB: 4096,
      runtimePlatform: { cpuArchitecture: CpuArchitecture.ARM64, operatingSystemFamily: OperatingSystemFamily.LINUX },
      volumes: [{ name: 'signatures' }, { name: 'tmp' }],
    })
    const logs = logGroup(this, 'Logs', settings.logDays)
    const steps = (['pull', 'freshclam', 'push'] as const).map(step => {
      const container = definition.addContainer(step, {
        image: ownImage(step === 'freshclam' ? 'clamav' : 'gateway'),
        command:
          step === 'freshclam' ? ['freshclam', '--foreground', '--stdout'] : ['containers/signatures/main.ts', step],
        environment: { ELEMTA_BUCKET: storage.bucket.bucketName, SIGNATURES_DIRECTORY: DIRECTORY },
        logging: LogDriver.awsLogs({ logGroup: logs, streamPrefix: step }),
        essential: step === 'push',
        readonlyRootFilesystem: true,
      })
      container.addMountPoints(
        { sourceVolume: 'signatures', containerPath: DIRECTORY, readOnly: false },
        { sourceVolume: 'tmp', containerPath: '/tmp', readOnly: false },
      )
      return container
    })
    steps.forEach((container, n) => {
      const before = steps[n - 1]
      if (before)
        container.addContainerDependencies({ container: before, condition: ContainerDependencyCondition.SUCCESS })
    })
    grantSignatureMirror(definition.taskRole, storage)

    const inside = settings.network.egress === 'nat'
    const group = new SecurityGroup(this, 'TaskGroup', { vpc, allowAllOutbound: false })
    allowEgress(group, {})
    new Rule(this, 'Schedule', {
      schedule: Schedule.rate(Duration.hours(settings.signatures.everyHours)),
      targets: [
        new EcsTask({
          cluster,
          taskDefinition: definition as ITaskDefinition,
          securityGroups: [group],
          // Without NAT only a public address leads to ClamAV's servers; nothing may connect to it.
          subnetSelection: inside ? { subnetGroupName: 'private' } : { subnetType: SubnetType.PUBLIC },
          assignPublicIp: !inside,
        }),
      ],
    })
    const clusterId = Stack.of(cluster).getLogicalId(cluster.node.defaultChild as CfnCluster)
    acknowledge(definition, {
      [`IAM5[Resource::arn:aws:ecs:${settings.region}:*:task/<${clusterId}>/*]`]:
        'Tagging a task that the schedule starts: it has no name before',
      ECS2: 'What is in the environment is no secret',
      'IAM5[Resource::*]': 'Logging in to ECR (GetAuthorizationToken) knows no resources',
    })
  }
}
