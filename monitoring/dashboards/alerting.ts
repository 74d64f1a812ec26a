// Grafana's own alert rules, from the rules that Prometheus has: thresholds and anomalies. Each is tied to the panel that
// shows its numbers, so that the panel carries the state. Rules end with a comparison, so a series that is there fires:
// the expression `is_number` turns that into Grafana's condition, whatever the value, and no series is no alert.
// One rule is Grafana's alone: it tells when Prometheus or Alertmanager does not work, which neither can.
import type { Dashboard, Panel, RowPanel } from '@grafana/grafana-foundation-sdk/dashboard'
import { formatDuration } from '../../src/platform/config-units.ts'
import { alertRules } from '../rules/groups.ts'
import { annotationsOf, labelsOf } from '../rules/render.ts'
import type { AlertRule } from '../rules/rule.ts'
import type { Settings } from '../thresholds.ts'
import { DATASOURCE_UID, FOLDER } from './names.ts'

/** The label that tells rules which only Grafana has: its notifications go out without Alertmanager. */
export const GRAFANA_ONLY = { watches: 'monitoring' } as const

const MONITORING_DOWN: AlertRule = {
  kind: 'alert',
  name: 'MonitoringDown',
  expr: `absent(ALERTS{alertname="Watchdog",alertstate="firing"})
or absent(up{job="alertmanager"} == 1)`,
  for: 300_000,
  severity: 'critical',
  team: 'platform',
  labels: GRAFANA_ONLY,
  summary: 'Nobody would be told of an alert',
  description:
    'Prometheus does not answer, evaluates no rules, or has no Alertmanager: the other alerts cannot be relied on.',
  dashboard: 'elemta-troubleshooting',
  thresholds: [],
}

/** The document of grafana/provisioning/alerting/rules.yml. */
export function grafanaRules(settings: Settings, dashboards: readonly Dashboard[]) {
  // Watchdog always fires, to show that Prometheus and Alertmanager work; MonitoringDown is its counterpart.
  const rules = [...alertRules(settings).filter(({ name }) => name !== 'Watchdog'), MONITORING_DOWN]
  const isAnomaly = ({ name }: AlertRule) => name.endsWith('Anomaly')
  const group = (name: string, members: readonly AlertRule[]) => ({
    orgId: 1,
    name,
    folder: FOLDER,
    interval: formatDuration(interval(settings)),
    rules: members.map(rule => grafanaRule(rule, rules, settings, dashboards)),
  })
  return {
    apiVersion: 1,
    groups: [
      group(
        'elemta-thresholds',
        rules.filter(rule => !isAnomaly(rule)),
      ),
      group('elemta-anomalies', rules.filter(isAnomaly)),
    ],
  }
}

function grafanaRule(rule: AlertRule, all: readonly AlertRule[], settings: Settings, dashboards: readonly Dashboard[]) {
  const panel = panelOf(rule, dashboards)
  return {
    uid: uidOf(rule, all),
    title: titleOf(rule, all),
    condition: 'B',
    data: [
      {
        refId: 'A',
        relativeTimeRange: { from: 600, to: 0 },
        datasourceUid: DATASOURCE_UID,
        model: { refId: 'A', expr: rule.expr, instant: true, range: false, intervalMs: 1000, maxDataPoints: 43_200 },
      },
      {
        refId: 'B',
        relativeTimeRange: { from: 0, to: 0 },
        datasourceUid: '__expr__',
        model: {
          refId: 'B',
          type: 'math',
          expression: 'is_number($A)',
          datasource: { type: '__expr__', uid: '__expr__' },
          intervalMs: 1000,
          maxDataPoints: 43_200,
        },
      },
    ],
    ...(panel && { dashboardUid: panel.dashboard, panelId: panel.id }),
    noDataState: 'OK',
    // While Prometheus cannot be asked, one rule says so instead of all.
    execErrState: rule === MONITORING_DOWN ? 'Alerting' : 'OK',
    for: formatDuration(rule.for),
    annotations: inGrafanasWords(annotationsOf(rule, settings.links)),
    labels: { ...labelsOf(rule), alert: rule.name },
  }
}

/** Grafana evaluates in steps of ten seconds. */
const interval = ({ timing }: Settings) => Math.ceil(timing.evaluation_interval / 10_000) * 10_000

/** In Prometheus `$value` is the number; in Grafana that of the query is `$values.A.Value`. */
function inGrafanasWords(annotations: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(annotations).map(([name, text]) => [name, text.replaceAll('$value', '$values.A.Value')]),
  )
}

// Several rules may share a name, as a warning and a critical stage do; Grafana wants titles and uids of their own.
const tellApart = (rule: AlertRule, all: readonly AlertRule[]) =>
  all.filter(({ name }) => name === rule.name).length === 1
    ? []
    : Object.values(rule.labels ?? { severity: rule.severity })

const titleOf = (rule: AlertRule, all: readonly AlertRule[]) => [rule.name, ...tellApart(rule, all)].join(' ')

/** At most 40 characters, letters, digits and dashes: Grafana's limits. */
const uidOf = (rule: AlertRule, all: readonly AlertRule[]) =>
  ['elemta', rule.name, ...tellApart(rule, all).map(part => part.slice(0, 4))].join('-').toLowerCase()

/** The panel that links the alert's runbook, on the alert's dashboard or else on any. */
function panelOf({ name, dashboard }: AlertRule, dashboards: readonly Dashboard[]) {
  const panels = dashboards.flatMap(({ uid, panels = [] }) =>
    panels.filter(panel => hasRunbook(panel, name)).map(({ id }) => ({ dashboard: uid!, id: id! })),
  )
  return panels.find(panel => panel.dashboard === dashboard) ?? panels[0]
}

const hasRunbook = (panel: Panel | RowPanel, name: string) =>
  'links' in panel && panel.links?.some(({ title }) => title === `Runbook: ${name}`)
