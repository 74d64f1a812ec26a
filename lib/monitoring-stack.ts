// What watches a stage: the workspace that metrics are written to, its rules and routing, and the topics by which people
// hear of them. Deployed before the pipeline, whose tasks write to the workspace; what watches the pipeline's own
// resources (load balancer, functions) stands in the pipeline stack and tells the same topics.
import { Stack, type StackProps } from 'aws-cdk-lib'
import { CfnWorkspace } from 'aws-cdk-lib/aws-aps'
import type { Construct } from 'constructs'
import type { MetricsTarget } from './constructs/collector.ts'
import type { Secrets } from './constructs/secrets.ts'
import type { Storage } from './data-stack.ts'
import type { DeploymentSettings } from './deployment-settings.ts'

/** `secrets.brought.SlackWebhook` is there where settings.alerts.slack is true; its field is `url`. */
export type MonitoringStackProps = StackProps &
  Readonly<{ settings: DeploymentSettings; storage: Storage; secrets: Secrets }>

export class MonitoringStack extends Stack {
  /** Where the pipeline's collectors write to. */
  readonly metrics: MetricsTarget

  constructor(
    scope: Construct,
    id: string,
    { settings: _, storage: __, secrets: ___, ...props }: MonitoringStackProps,
  ) {
    super(scope, id, props)
    const workspace = new CfnWorkspace(this, 'Workspace')
    this.metrics = {
      workspaceArn: workspace.attrArn,
      remoteWriteUrl: `${workspace.attrPrometheusEndpoint}api/v1/remote_write`,
    }
  }
}
