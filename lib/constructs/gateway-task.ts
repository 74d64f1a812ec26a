// A Fargate task of the gateway: its own container (containers/<entry>/main.ts) and the collector that brings its metrics to
// the workspace. Nobody is root, the root file system is read-only, and no capability is left; what is written is written
// to a volume that goes with the task. SIGTERM drains: the stop timeout is the longest that Fargate allows.
import { type CfnResource, Duration } from 'aws-cdk-lib'
import {
  type ContainerDefinition,
  CpuArchitecture,
  FargateTaskDefinition,
  LogDriver,
  OperatingSystemFamily,
  type Secret,
} from 'aws-cdk-lib/aws-ecs'
import type { LogGroup } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import type { CollectorRole } from '../../monitoring/aws/collector.ts'
import type { Storage } from '../data-stack.ts'
import type { DeploymentSettings, ServiceSettings } from '../deployment-settings.ts'
import { DATA_DIRECTORY, PORTS } from '../gateway-config.ts'
import { grantRole } from './access.ts'
import { acknowledge, acknowledgeVariables } from './acknowledge.ts'
import { addCollector, type MetricsTarget } from './collector.ts'
import { gatewayEnvironment } from './gateway-environment.ts'
import { ownImage } from './images.ts'
import { logGroup } from './log-group.ts'

/** What every task and function of the pipeline is made with. */
export type PipelineParts = Readonly<{
  settings: DeploymentSettings
  storage: Storage
  /** Where metrics are written to. */
  metrics: MetricsTarget
}>

export type GatewayTaskProps = PipelineParts &
  Readonly<{
    role: CollectorRole
    /** It delivers, too, whatever its role. */
    delivers?: boolean
    /** The folder in containers/ with its main.ts. */
    entry: string
    size: Pick<ServiceSettings, 'cpu' | 'memory'>
    secrets: Record<string, Secret>
    /** Further variables. */
    environment?: Record<string, string>
  }>

export const STOP_TIMEOUT = Duration.seconds(120)

export class GatewayTask extends Construct {
  readonly definition: FargateTaskDefinition
  readonly container: ContainerDefinition
  readonly logs: LogGroup

  constructor(scope: Construct, id: string, props: GatewayTaskProps) {
    super(scope, id)
    const { settings, storage, metrics, role, delivers = false, entry, size, secrets, environment = {} } = props
    this.logs = logGroup(this, 'Logs', settings.logDays)
    this.definition = new FargateTaskDefinition(this, 'Definition', {
      cpu: size.cpu,
      memoryLimitMiB: size.memory,
      runtimePlatform: { cpuArchitecture: CpuArchitecture.ARM64, operatingSystemFamily: OperatingSystemFamily.LINUX },
      volumes: [{ name: 'run' }, { name: 'tmp' }],
    })
    this.container = this.definition.addContainer('gateway', {
      image: ownImage('gateway'),
      command: [`containers/${entry}/main.ts`],
      environment: { ...gatewayEnvironment(settings, delivers ? 'delivery' : role, storage), ...environment },
      secrets,
      logging: this.logTo('gateway'),
      readonlyRootFilesystem: true,
      stopTimeout: STOP_TIMEOUT,
      healthCheck: {
        // It lives: restarting a task that S3 does not answer would help nobody.
        command: [
          'CMD',
          'node',
          '-e',
          `fetch('http://127.0.0.1:${PORTS.ops}/healthz').then(r => process.exit(+!r.ok))`,
        ],
        interval: Duration.seconds(15),
        timeout: Duration.seconds(5),
        retries: 4,
        startPeriod: Duration.seconds(60),
      },
    })
    this.container.addMountPoints(
      { sourceVolume: 'run', containerPath: DATA_DIRECTORY, readOnly: false },
      { sourceVolume: 'tmp', containerPath: '/tmp', readOnly: false },
    )
    addCollector(this.definition, { metrics, role, logging: this.logTo('collector') })
    grantRole(this.definition.taskRole, role, storage)
    if (delivers) grantRole(this.definition.taskRole, 'delivery', storage)
    acknowledge(this.definition, {
      ECS2: 'What is in the environment is no secret: those are fields of Secrets Manager',
      'IAM5[Resource::*]': 'Logging in to ECR (GetAuthorizationToken) knows no resources',
    })
    acknowledgeVariables(this.definition.node.defaultChild as CfnResource)
  }

  /** Lines of a container of this task. */
  logTo(streamPrefix: string): LogDriver {
    return LogDriver.awsLogs({ logGroup: this.logs, streamPrefix })
  }
}
