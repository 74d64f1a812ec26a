// What Grafana reads at its start, in its file-provisioning format: the data source, where dashboards lie, whom to tell.
// Grafana fills in from its environment: PROMETHEUS_URL, ALERTMANAGER_URL, ALERT_EMAIL_TO, SLACK_WEBHOOK_URL.
// Who is told of an alert is decided in one place, Alertmanager, from the rules in Prometheus. Grafana shows the same
// rules at its panels and stays silent, or everybody would hear everything twice; by itself it tells of what neither can:
// that Prometheus or Alertmanager is down. Where there is no Alertmanager, take the mute timing out of policies.yml.
import { formatDuration } from '../../src/platform/config-units.ts'
import type { Settings } from '../thresholds.ts'
import { GRAFANA_ONLY } from './alerting.ts'
import { DATASOURCE_UID, FOLDER } from './names.ts'

/** Documents by path below the folder `monitoring`. */
export function provisioning(settings: Settings): Readonly<Record<string, unknown>> {
  return {
    'grafana/provisioning/datasources/elemta.yml': datasources(settings),
    'grafana/provisioning/dashboards/elemta.yml': providers(),
    'grafana/provisioning/alerting/contact-points.yml': contactPoints(),
    'grafana/provisioning/alerting/policies.yml': policies(),
  }
}

function datasources({ timing }: Settings) {
  return {
    apiVersion: 1,
    datasources: [
      {
        name: 'Elemta Prometheus',
        uid: DATASOURCE_UID,
        type: 'prometheus',
        access: 'proxy',
        url: '$PROMETHEUS_URL',
        isDefault: true,
        editable: false,
        jsonData: {
          httpMethod: 'POST',
          // The scrape interval: $__rate_interval is at least four of them.
          timeInterval: formatDuration(timing.evaluation_interval),
          prometheusType: 'Prometheus',
          manageAlerts: true,
          alertmanagerUid: 'elemta-alertmanager',
        },
      },
      {
        name: 'Elemta Alertmanager',
        uid: 'elemta-alertmanager',
        type: 'alertmanager',
        access: 'proxy',
        url: '$ALERTMANAGER_URL',
        editable: false,
        jsonData: { implementation: 'prometheus', handleGrafanaManagedAlerts: false },
      },
    ],
  }
}

function providers() {
  return {
    apiVersion: 1,
    providers: [
      {
        name: 'elemta',
        orgId: 1,
        folder: FOLDER,
        type: 'file',
        disableDeletion: true,
        allowUiUpdates: false,
        updateIntervalSeconds: 30,
        options: { path: '/var/lib/grafana/dashboards' },
      },
    ],
  }
}

const SLACK = 'Elemta Slack'
const EMAIL_AND_SLACK = 'Elemta e-mail and Slack'
const TOLD_BY_ALERTMANAGER = 'Told by Alertmanager'

function contactPoints() {
  const slack = (uid: string) => ({ uid, type: 'slack', settings: { url: '$SLACK_WEBHOOK_URL' } })
  const email = { uid: 'elemta-email', type: 'email', settings: { addresses: '$ALERT_EMAIL_TO', singleEmail: true } }
  return {
    apiVersion: 1,
    contactPoints: [
      { orgId: 1, name: EMAIL_AND_SLACK, receivers: [email, slack('elemta-slack-critical')] },
      { orgId: 1, name: SLACK, receivers: [slack('elemta-slack-warning')] },
    ],
  }
}

function policies() {
  const [[label, value]] = Object.entries(GRAFANA_ONLY) as [[string, string]]
  const silent = { mute_time_intervals: [TOLD_BY_ALERTMANAGER] }
  return {
    apiVersion: 1,
    policies: [
      {
        orgId: 1,
        receiver: EMAIL_AND_SLACK,
        group_by: ['alertname', 'severity'],
        group_wait: '30s',
        group_interval: '5m',
        repeat_interval: '4h',
        routes: [
          { receiver: SLACK, object_matchers: [['severity', '=~', 'warning|info']], ...silent },
          { receiver: EMAIL_AND_SLACK, object_matchers: [[label, '!=', value]], ...silent },
        ],
      },
    ],
    muteTimes: [
      {
        orgId: 1,
        name: TOLD_BY_ALERTMANAGER,
        time_intervals: [{ times: [{ start_time: '00:00', end_time: '24:00' }] }],
      },
    ],
  }
}
