// The collector beside each role: it scrapes the task's own ports on 127.0.0.1 and writes to the workspace, signed with the
// role of the task. It is not essential: mail goes on without it, and an alert tells that its metrics are gone.
import { ContainerImage, type FargateTaskDefinition, type LogDriver } from 'aws-cdk-lib/aws-ecs'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { COLLECTOR_ENVIRONMENT, type CollectorRole, collectorConfig } from '../../monitoring/aws/collector.ts'
import { COLLECTOR_IMAGE } from './images.ts'

export type MetricsTarget = Readonly<{
  workspaceArn: string
  /** https://…/api/v1/remote_write */
  remoteWriteUrl: string
}>

export type CollectorProps = Readonly<{ metrics: MetricsTarget; role: CollectorRole; logging: LogDriver }>

export function addCollector(task: FargateTaskDefinition, { metrics, role, logging }: CollectorProps): void {
  task.addContainer('collector', {
    image: ContainerImage.fromRegistry(COLLECTOR_IMAGE),
    environment: {
      [COLLECTOR_ENVIRONMENT.configuration]: collectorConfig(role),
      [COLLECTOR_ENVIRONMENT.remoteWrite]: metrics.remoteWriteUrl,
    },
    logging,
    essential: false,
    readonlyRootFilesystem: true,
    memoryReservationMiB: 64,
  })
  task.taskRole.addToPrincipalPolicy(remoteWrite(metrics))
}

/** What it takes to write to the workspace. */
export function remoteWrite({ workspaceArn }: MetricsTarget): PolicyStatement {
  return new PolicyStatement({ actions: ['aps:RemoteWrite'], resources: [workspaceArn] })
}
