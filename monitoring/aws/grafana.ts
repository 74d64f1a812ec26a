// What an Amazon Managed Grafana workspace shows: the dashboards that every home has, unchanged, on a data source with the
// same uid, which asks Amazon Managed Service for Prometheus with the workspace's role; its Alertmanager; and CloudWatch
// for what only AWS counts. As Grafana's HTTP API takes them.
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { formatDuration } from '../../src/platform/config-units.ts'
import { dashboards } from '../dashboards/all.ts'
import { DATASOURCE_UID, FOLDER } from '../dashboards/names.ts'
import type { Settings } from '../thresholds.ts'

export type DataSource = Readonly<{
  uid: string
  name: string
  type: string
  access: 'proxy'
  url?: string
  isDefault: boolean
  jsonData: Readonly<Record<string, unknown>>
}>

export type GrafanaContent = Readonly<{
  folder: Readonly<{ uid: string; title: string }>
  dashboards: readonly Dashboard[]
}>

export const CLOUDWATCH_UID = 'elemta-cloudwatch'

/** `prometheus`: the workspace's address, without `/api/v1` at its end. */
export function dataSources(settings: Pick<Settings, 'timing'>, prometheus: string, region: string): DataSource[] {
  const signed = { sigV4Auth: true, sigV4AuthType: 'ec2_iam_role', sigV4Region: region }
  return [
    {
      uid: DATASOURCE_UID,
      name: 'Elemta Prometheus',
      type: 'prometheus',
      access: 'proxy',
      url: prometheus,
      isDefault: true,
      jsonData: {
        ...signed,
        httpMethod: 'POST',
        timeInterval: formatDuration(settings.timing.evaluation_interval),
        manageAlerts: true,
        alertmanagerUid: 'elemta-alertmanager',
      },
    },
    {
      uid: 'elemta-alertmanager',
      name: 'Elemta Alertmanager',
      type: 'alertmanager',
      access: 'proxy',
      url: `${prometheus}/alertmanager`,
      isDefault: false,
      jsonData: { ...signed, implementation: 'prometheus', handleGrafanaManagedAlerts: false },
    },
    {
      uid: CLOUDWATCH_UID,
      name: 'Elemta CloudWatch',
      type: 'cloudwatch',
      access: 'proxy',
      isDefault: false,
      jsonData: { authType: 'ec2_iam_role', defaultRegion: region },
    },
  ]
}

export function grafanaContent(settings: Settings): GrafanaContent {
  return { folder: { uid: 'elemta', title: FOLDER }, dashboards: dashboards(settings) }
}
