// Settings and files for tests of the routing: the shipped templates, everything sent at once, to sinks on 127.0.0.1.
import { renderAlertmanager } from '../../monitoring/routing/alertmanager.ts'
import { CONFIGURATION, renderRouting } from '../../monitoring/routing/render.ts'
import { parseRouting, type RoutingSettings } from '../../monitoring/routing/settings.ts'
import { DEFAULT_SETTINGS } from '../../monitoring/thresholds.ts'

export const PEOPLE = `
  people: { alice: { email: alice@example.com, slack: "@alice" }, bob: { email: bob@example.com }, carol: { email: carol@example.com } }`

/** Mail by `smarthost`, without TLS; waits as short as Alertmanager takes them; `more` is YAML. */
export function quickRouting(smarthost: string, secrets: string, more = ''): RoutingSettings {
  const settings = parseRouting(`
email: { from: alerts@example.com, to: [ops@example.com], smarthost: "${smarthost}", tls: false, user: elemta, password_file: ${secrets}/smtp_password }
slack: { webhook_url_file: ${secrets}/slack_url, critical: "#critical", warning: "#warnings" }
dead_mans_switch: { url: http://127.0.0.1:9/unused }
grouping: { wait: 0s, interval: 1s }
${more}`)
  // Half of it is what Alertmanager is told, and it takes nothing below a second.
  return { ...settings, dead_mans_switch: { ...settings.dead_mans_switch!, every: 2_000 } }
}

/** What Alertmanager reads, by path beside its configuration. */
export function alertmanagerFiles(settings: RoutingSettings, deadMansUrl?: string): Record<string, string> {
  const templates = [...renderRouting(DEFAULT_SETTINGS)].filter(
    ([path]) => path.startsWith('alertmanager/') && path !== CONFIGURATION,
  )
  return {
    ...Object.fromEntries(templates.map(([path, text]) => [path.replace('alertmanager/', ''), text])),
    'alertmanager.yml': renderAlertmanager(settings, deadMansUrl),
  }
}
