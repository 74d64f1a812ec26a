// What watches a stage: the workspace that metrics are written to, its rules and routing, and the topics by which people
// hear of them. Deployed before the pipeline, whose tasks write to the workspace; what watches the pipeline's own
// resources (load balancer, functions) stands in the pipeline stack and tells the same topics.
import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib'
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import type { Construct } from 'constructs'
import { AWS_SETTINGS } from '../monitoring/aws/settings.ts'
import { ROUTING_FILE } from '../monitoring/routing/render.ts'
import { loadRouting } from '../monitoring/routing/settings.ts'
import type { Settings } from '../monitoring/thresholds.ts'
import { AlertTopics } from './constructs/alert-topics.ts'
import {
  type AlarmTopics,
  watchAlerting,
  watchDeadLetters,
  watchFunctions,
  watchQueue,
} from './constructs/cloudwatch-alarms.ts'
import type { MetricsTarget } from './constructs/collector.ts'
import { GrafanaContent, GrafanaWorkspace } from './constructs/grafana-workspace.ts'
import { PrometheusWorkspace } from './constructs/prometheus-workspace.ts'
import type { Secrets } from './constructs/secrets.ts'
import type { Storage } from './data-stack.ts'
import type { DeploymentSettings } from './deployment-settings.ts'

/** `secrets.brought.SlackWebhook` is there where settings.alerts.slack is true; its field is `url`. */
export type MonitoringStackProps = StackProps &
  Readonly<{ settings: DeploymentSettings; storage: Storage; secrets: Secrets }>

export class MonitoringStack extends Stack {
  /** Where the pipeline's collectors write to. */
  readonly metrics: MetricsTarget
  /** Whom the pipeline's alarms tell. */
  readonly alarms: AlarmTopics

  constructor(scope: Construct, id: string, { settings, storage, secrets, ...props }: MonitoringStackProps) {
    super(scope, id, props)
    const { stage, alerts, logDays } = settings
    const topics = new AlertTopics(this, 'Alerts', {
      ...alerts,
      slackWebhook: secrets.brought.SlackWebhook as ISecret | undefined,
      logDays,
    })
    const grafana = this.grafana(settings)
    const monitoring: Settings = {
      ...AWS_SETTINGS,
      thresholds: alerts.thresholds,
      links: {
        runbooks: alerts.runbooks ?? AWS_SETTINGS.links.runbooks,
        grafana: grafana?.url ?? AWS_SETTINGS.links.grafana,
      },
    }
    const routing = loadRouting(ROUTING_FILE)
    const prometheus = new PrometheusWorkspace(this, 'Prometheus', { stage, monitoring, routing, topics, logDays })
    if (grafana !== undefined) {
      new GrafanaContent(this, 'Dashboards', {
        workspace: grafana,
        monitoring,
        prometheus: { url: prometheus.url, arn: prometheus.workspace.attrArn },
        logDays,
      })
      new CfnOutput(this, 'GrafanaUrl', { value: grafana.url })
    }
    this.metrics = {
      workspaceArn: prometheus.workspace.attrArn,
      remoteWriteUrl: `${prometheus.url}/api/v1/remote_write`,
    }
    this.alarms = {
      critical: topics.critical as ITopic,
      warning: topics.warning as ITopic,
      runbooks: monitoring.links.runbooks,
    }
    this.watch(topics, storage)
    new CfnOutput(this, 'PrometheusUrl', { value: prometheus.url })
  }

  private grafana({ stage, grafana }: DeploymentSettings): GrafanaWorkspace | undefined {
    const { enabled, authentication, version } = grafana
    return enabled
      ? new GrafanaWorkspace(this, 'Grafana', { name: `elemta-${stage}`, authentication, version })
      : undefined
  }

  private watch({ watchdog, slack }: AlertTopics, { scanJobs, deliveryJobs }: Storage): void {
    const queues = [
      ['Scan', 'Scan jobs', scanJobs],
      ['Delivery', 'Delivery jobs', deliveryJobs],
    ] as const
    for (const [id, what, jobs] of queues) {
      const [queue, deadLetters] = [jobs.queue as IQueue, jobs.deadLetters as IQueue]
      watchQueue(this, id, this.alarms, { queue, deadLetters, what })
    }
    watchAlerting(this, this.alarms, watchdog as ITopic)
    if (slack === undefined) return
    watchFunctions(this, this.alarms, { NotifySlack: slack.function })
    watchDeadLetters(this, 'SlackUntold', this.alarms, slack.untold as IQueue, {
      severity: 'critical',
      text: 'Slack was not told of alerts: they lie in the dead-letter queue. Does the webhook in the secret still work?',
    })
  }
}
