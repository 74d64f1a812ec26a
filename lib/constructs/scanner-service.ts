// The scanners: each task is a worker with its own clamd, rspamd and resolver, which it asks on 127.0.0.1. clamd loads its
// signatures from a volume that a small container keeps like the bucket's. Tasks follow the backlog; all but the first may
// run on Spot: when one is taken away its leases end, and the messages are scanned elsewhere. Where scanners deliver, too
// (delivery.runsOn), they may speak SMTP to next hops.
import { Duration } from 'aws-cdk-lib'
import { type IVpc, SecurityGroup } from 'aws-cdk-lib/aws-ec2'
import { ContainerDependencyCondition, Secret as EcsSecret, FargateService, type ICluster } from 'aws-cdk-lib/aws-ecs'
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { PORTS } from '../gateway-config.ts'
import { scannerLimits } from '../scanner-limits.ts'
import { grantSignatures } from './access.ts'
import { BacklogScaling } from './backlog-scaling.ts'
import { DEPLOYMENT } from './deployment.ts'
import { allowEgress, nextHopPorts } from './egress.ts'
import { GatewayTask, type PipelineParts, STOP_TIMEOUT } from './gateway-task.ts'
import { ownImage } from './images.ts'
import { addResolver } from './resolver.ts'
import type { Secrets } from './secrets.ts'
import { containerSecrets } from './service-secrets.ts'
import type { Valkey } from './valkey.ts'

/** MiB: 1.3 GB of signatures, and a second set beside it while new ones are loaded. */
const CLAMD_MEMORY = 4096
const SIGNATURES = { sourceVolume: 'signatures', containerPath: '/var/lib/clamav' } as const

export type ScannerServiceProps = PipelineParts &
  Readonly<{
    vpc: IVpc
    cluster: ICluster
    secrets: Secrets
    /** Absent: rspamd learns nothing. */
    valkey: Valkey | undefined
  }>

export class ScannerService extends Construct {
  readonly service: FargateService

  constructor(scope: Construct, id: string, props: ScannerServiceProps) {
    super(scope, id)
    const { vpc, cluster, settings, storage, secrets, valkey } = props
    const { scan, network, routes } = settings
    const delivers = settings.delivery.runsOn === 'scanners'
    const task = new GatewayTask(this, 'Task', {
      ...props,
      role: 'scan',
      delivers,
      entry: delivers ? 'scan-delivery-worker' : 'scan-worker',
      size: scan.tasks,
      secrets: { ...containerSecrets('scan', secrets), ...(delivers && containerSecrets('delivery', secrets)) },
    })
    this.addScanners(task, props)

    const group = new SecurityGroup(this, 'TaskGroup', { vpc, allowAllOutbound: false })
    allowEgress(group, { dns: network.egress === 'nat', ...(delivers && { mail: nextHopPorts(routes) }) })
    valkey?.allowFrom(group)
    this.service = new FargateService(this, 'Service', {
      ...DEPLOYMENT,
      cluster,
      taskDefinition: task.definition,
      securityGroups: [group],
      vpcSubnets: { subnetGroupName: 'private' },
      capacityProviderStrategies: scan.spot
        ? [
            { capacityProvider: 'FARGATE', base: 1, weight: 0 },
            { capacityProvider: 'FARGATE_SPOT', weight: 1 },
          ]
        : [{ capacityProvider: 'FARGATE', weight: 1 }],
    })
    new BacklogScaling(this, 'Scaling', {
      service: this.service,
      queue: storage.scanJobs.queue as IQueue,
      tasks: scan.tasks,
      backlogPerTask: scan.backlogPerTask,
    })
  }

  private addScanners(task: GatewayTask, { settings, storage, secrets, valkey }: ScannerServiceProps): void {
    const { definition, container } = task
    const limits = scannerLimits(settings)
    definition.addVolume({ name: SIGNATURES.sourceVolume })
    const signatures = definition.addContainer('signatures', {
      image: ownImage('gateway'),
      command: ['containers/signatures/main.ts', 'follow'],
      environment: { ELEMTA_BUCKET: storage.bucket.bucketName, SIGNATURES_DIRECTORY: SIGNATURES.containerPath },
      logging: task.logTo('signatures'),
      readonlyRootFilesystem: true,
      healthCheck: {
        command: ['CMD', 'node', 'containers/signatures/main.ts', 'check'],
        startPeriod: Duration.seconds(120),
      },
      memoryReservationMiB: 128,
    })
    signatures.addMountPoints({ ...SIGNATURES, readOnly: false })
    grantSignatures(definition.taskRole, storage)

    const clamd = definition.addContainer('clamd', {
      image: ownImage('clamav'),
      environment: { CLAMD_PORT: String(PORTS.clamd), CLAMD_STREAM_MAX: String(limits.clamd) },
      logging: task.logTo('clamd'),
      memoryReservationMiB: CLAMD_MEMORY,
      readonlyRootFilesystem: true,
      stopTimeout: STOP_TIMEOUT,
      healthCheck: {
        command: ['CMD', 'clamdscan', '--config-file=/tmp/clamd.conf', '--ping', '1'],
        interval: Duration.seconds(15),
        startPeriod: Duration.seconds(300),
      },
    })
    clamd.addMountPoints(
      // Written to while the bucket has no signatures yet: clamd then starts with those of its image.
      { ...SIGNATURES, readOnly: false },
      { sourceVolume: 'tmp', containerPath: '/tmp', readOnly: false },
    )
    clamd.addContainerDependencies({ container: signatures, condition: ContainerDependencyCondition.HEALTHY })

    const { SpamhausDqsKey } = secrets.brought
    const rspamd = definition.addContainer('rspamd', {
      image: ownImage('rspamd'),
      environment: {
        RSPAMD_PORT: String(PORTS.rspamd),
        RSPAMD_MAX_MESSAGE: String(limits.rspamd),
        RSPAMD_REJECT_SCORE: String(limits.rejectScore),
        RSPAMD_DNS_SERVERS: `127.0.0.1:${PORTS.dns}`,
        ...(valkey && { RSPAMD_REDIS_SERVERS: valkey.address }),
      },
      secrets: {
        RSPAMD_PASSWORD: EcsSecret.fromSecretsManager(secrets.rspamdPassword as ISecret),
        ...(SpamhausDqsKey && { RSPAMD_DQS_KEY: EcsSecret.fromSecretsManager(SpamhausDqsKey as ISecret, 'key') }),
      },
      logging: task.logTo('rspamd'),
      memoryReservationMiB: 512,
      readonlyRootFilesystem: true,
      stopTimeout: STOP_TIMEOUT,
      healthCheck: {
        command: ['CMD', 'rspamadm', 'control', 'stat'],
        interval: Duration.seconds(15),
        // It compiles patterns first.
        startPeriod: Duration.seconds(180),
      },
    })
    definition.addVolume({ name: 'rspamd' })
    rspamd.addMountPoints({ sourceVolume: 'rspamd', containerPath: '/var/lib/rspamd', readOnly: false })
    const resolver = addResolver(task, settings)
    rspamd.addContainerDependencies({ container: resolver, condition: ContainerDependencyCondition.HEALTHY })
    // Stopped in reverse: the worker gives its jobs back while the scanners still answer.
    container.addContainerDependencies(
      { container: clamd, condition: ContainerDependencyCondition.START },
      { container: rspamd, condition: ContainerDependencyCondition.START },
    )
  }
}
