// What the deployment tells the functions of the monitoring: named once for both sides.

/** Environment of notify-slack. */
export const NOTIFY_SLACK_ENVIRONMENT = { webhookSecret: 'SLACK_WEBHOOK_SECRET_ARN' } as const

/** Properties of the custom resource behind provision-grafana. A change of any is a reason to provision again. */
export type GrafanaContentProperties = Readonly<{
  workspaceId: string
  /** https://grafana.<region>.amazonaws.com */
  grafanaService: string
  /** https://g-….grafana-workspace.<region>.amazonaws.com */
  workspaceUrl: string
  /** Where folder and dashboards lie as JSON. */
  contentUrl: string
  /** As JSON: CloudFormation makes every value a string. */
  dataSources: string
}>
