// Amazon Managed Grafana: a workspace whose role may read the metrics, filled with data sources and dashboards by a
// function at each deployment. People log in by IAM Identity Center or SAML, which has to be there before; who may do
// what in Grafana is said in its console, not here.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CustomResource, Duration, Stack } from 'aws-cdk-lib'
import { CfnWorkspace } from 'aws-cdk-lib/aws-grafana'
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Asset } from 'aws-cdk-lib/aws-s3-assets'
import { Construct } from 'constructs'
import type { GrafanaContentProperties } from '../../monitoring/aws/function-contracts.ts'
import { dataSources, grafanaContent } from '../../monitoring/aws/grafana.ts'
import type { Settings } from '../../monitoring/thresholds.ts'
import { acknowledge } from './acknowledge.ts'
import { NodeFunction } from './node-function.ts'

export type GrafanaWorkspaceProps = Readonly<{
  name: string
  authentication: 'AWS_SSO' | 'SAML'
  /** Default: the newest. */
  version?: string | undefined
}>

export type GrafanaContentProps = Readonly<{
  workspace: GrafanaWorkspace
  monitoring: Settings
  prometheus: Readonly<{ url: string; arn: string }>
  logDays: number
}>

const QUERY = ['QueryMetrics', 'GetSeries', 'GetLabels', 'GetMetricMetadata', 'ListRules', 'DescribeWorkspace']
const ALERTS = ['ListAlerts', 'ListAlertManagerAlerts', 'ListAlertManagerAlertGroups', 'GetAlertManagerStatus']
const SILENCES = ['Get', 'List', 'Put', 'Delete'].map(
  verb => `${verb}AlertManagerSilence${verb === 'List' || verb === 'Put' ? 's' : ''}`,
)
const CLOUDWATCH = ['GetMetricData', 'ListMetrics', 'DescribeAlarms', 'DescribeAlarmsForMetric', 'DescribeAlarmHistory']
const TOKENS = [
  'ListWorkspaceServiceAccounts',
  'CreateWorkspaceServiceAccount',
  'CreateWorkspaceServiceAccountToken',
  'DeleteWorkspaceServiceAccountToken',
]

export class GrafanaWorkspace extends Construct {
  readonly workspace: CfnWorkspace
  readonly role: Role
  readonly url: string

  constructor(scope: Construct, id: string, { name, authentication, version }: GrafanaWorkspaceProps) {
    super(scope, id)
    const { account, region, partition } = Stack.of(this)
    this.role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('grafana.amazonaws.com', {
        conditions: {
          StringEquals: { 'aws:SourceAccount': account },
          ArnLike: { 'aws:SourceArn': `arn:${partition}:grafana:${region}:${account}:/workspaces/*` },
        },
      }),
    })
    this.workspace = new CfnWorkspace(this, 'Workspace', {
      name,
      accountAccessType: 'CURRENT_ACCOUNT',
      authenticationProviders: [authentication],
      permissionType: 'CUSTOMER_MANAGED',
      roleArn: this.role.roleArn,
      dataSources: ['PROMETHEUS', 'CLOUDWATCH'],
      pluginAdminEnabled: true,
      ...(version !== undefined && { grafanaVersion: version }),
    })
    // Its type has none: CloudFormation refuses them.
    this.workspace.addPropertyDeletionOverride('Tags')
    this.url = `https://${this.workspace.attrEndpoint}`
  }
}

/** What the workspace shows, and the rights to ask for it. */
export class GrafanaContent extends Construct {
  constructor(scope: Construct, id: string, { workspace, monitoring, prometheus, logDays }: GrafanaContentProps) {
    super(scope, id)
    const { account, region, partition, urlSuffix } = Stack.of(this)
    workspace.role.addToPolicy(
      new PolicyStatement({
        actions: [...QUERY, ...ALERTS, ...SILENCES].map(action => `aps:${action}`),
        resources: [prometheus.arn],
      }),
    )
    workspace.role.addToPolicy(
      new PolicyStatement({ actions: CLOUDWATCH.map(action => `cloudwatch:${action}`), resources: ['*'] }),
    )
    acknowledge(workspace.role, {
      'IAM5[Resource::*]': 'CloudWatch knows no rights to single metrics; it is only read',
    })

    const content = contentAsset(this, monitoring)
    const fill = new NodeFunction(this, 'Provision', {
      name: 'provision-grafana',
      description: 'Fills the Grafana workspace with data sources and dashboards',
      logDays,
      timeout: Duration.minutes(5),
      memorySize: 256,
    })
    fill.addToRolePolicy(
      new PolicyStatement({
        actions: TOKENS.map(action => `grafana:${action}`),
        resources: [`arn:${partition}:grafana:${region}:${account}:/workspaces/${workspace.workspace.attrId}`],
      }),
    )
    fill.addToRolePolicy(
      new PolicyStatement({
        actions: ['s3:GetObject'],
        resources: [content.bucket.arnForObjects(content.s3ObjectKey)],
      }),
    )
    const properties: GrafanaContentProperties = {
      workspaceId: workspace.workspace.attrId,
      grafanaService: `https://grafana.${region}.${urlSuffix}`,
      workspaceUrl: workspace.url,
      contentUrl: content.httpUrl,
      dataSources: Stack.of(this).toJsonString(dataSources(monitoring, prometheus.url, region)),
    }
    const filled = new CustomResource(this, 'Content', {
      resourceType: 'Custom::ElemtaGrafanaContent',
      serviceToken: fill.functionArn,
      serviceTimeout: Duration.minutes(6),
      properties,
    })
    filled.node.addDependency(workspace.role) // with its rights: they belong to what is filled
  }
}

/** Too long for a property: it is fetched from where assets are. Its hash is in its address. */
function contentAsset(scope: Construct, monitoring: Settings): Asset {
  const folder = mkdtempSync(join(tmpdir(), 'elemta-grafana-'))
  try {
    const path = join(folder, 'content.json')
    writeFileSync(path, Stack.of(scope).resolve(JSON.stringify(grafanaContent(monitoring))))
    return new Asset(scope, 'Dashboards', { path })
  } finally {
    rmSync(folder, { recursive: true })
  }
}
