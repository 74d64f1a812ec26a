// Amazon Managed Service for Prometheus: the workspace that collectors write to, with the rules, the routing and the
// anomaly detectors rendered from monitoring/. Its own troubles (a rule that fails, a message that cannot be sent) go to
// a log group.
import { RemovalPolicy, Stack } from 'aws-cdk-lib'
import { CfnAnomalyDetector, CfnRuleGroupsNamespace, CfnWorkspace } from 'aws-cdk-lib/aws-aps'
import { LogGroup } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import { alertManagerDefinition } from '../../monitoring/aws/alert-manager.ts'
import { type AnomalyDetector, anomalyDetectors } from '../../monitoring/aws/anomaly-detectors.ts'
import { ruleNamespaces } from '../../monitoring/aws/rule-groups.ts'
import type { RoutingSettings } from '../../monitoring/routing/settings.ts'
import type { Settings } from '../../monitoring/thresholds.ts'
import type { AlertTopics } from './alert-topics.ts'

export type PrometheusWorkspaceProps = Readonly<{
  /** Part of the log group's name. */
  stage: string
  monitoring: Settings
  routing: RoutingSettings
  topics: AlertTopics
  logDays: number
}>

export class PrometheusWorkspace extends Construct {
  readonly workspace: CfnWorkspace
  /** Without `/api/v1` at its end. */
  readonly url: string

  constructor(scope: Construct, id: string, props: PrometheusWorkspaceProps) {
    super(scope, id)
    const { stage, monitoring, routing, topics, logDays } = props
    const { region, urlSuffix } = Stack.of(this)
    const logs = new LogGroup(this, 'Logs', {
      // The service writes to names that begin so; others would need a policy of their own.
      logGroupName: `/aws/vendedlogs/prometheus/elemta-${stage}`,
      retention: logDays,
      removalPolicy: RemovalPolicy.DESTROY,
    })
    const arns = {
      critical: topics.critical.topicArn,
      warning: topics.warning.topicArn,
      watchdog: topics.watchdog.topicArn,
    }
    this.workspace = new CfnWorkspace(this, 'Workspace', {
      alias: `elemta-${stage}`,
      loggingConfiguration: { logGroupArn: logs.logGroupArn },
      alertManagerDefinition: alertManagerDefinition(routing, arns, region),
    })
    this.url = `https://aps-workspaces.${region}.${urlSuffix}/workspaces/${this.workspace.attrWorkspaceId}`
    topics.allowAlertmanager(this.workspace.attrArn)
    for (const [name, data] of ruleNamespaces(monitoring, routing)) {
      new CfnRuleGroupsNamespace(this, `Rules-${name}`, { workspace: this.workspace.attrArn, name, data })
    }
    for (const detector of anomalyDetectors(monitoring)) this.detect(detector)
  }

  private detect({ alias, query, evaluationInterval, ignore }: AnomalyDetector): void {
    new CfnAnomalyDetector(this, `Anomaly-${alias}`, {
      workspace: this.workspace.attrArn,
      alias,
      evaluationIntervalInSeconds: evaluationInterval,
      missingDataAction: { skip: true },
      configuration: {
        randomCutForest: {
          query,
          ...(ignore.above !== undefined && { ignoreNearExpectedFromAbove: { ratio: ignore.above } }),
          ...(ignore.below !== undefined && { ignoreNearExpectedFromBelow: { ratio: ignore.below } }),
        },
      },
    })
  }
}
