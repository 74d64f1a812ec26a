// The project's own rules and routing, rendered as for any site, with a drill's settings: everything a thousand times
// as fast, and thresholds that a small machine reaches within seconds. No rule is written for drills.

import { renderRouting } from '../../monitoring/routing/render.ts'
import { parseRouting, type RoutingSettings } from '../../monitoring/routing/settings.ts'
import { renderRules } from '../../monitoring/rules/render.ts'
import { renderPrometheus, renderTargets, type Targets } from '../../monitoring/scrape.ts'
import { parseSettings, type Settings } from '../../monitoring/thresholds.ts'
import type { StackName } from './fault.ts'
import { CHANNELS, SLACK_PATH } from './notifications.ts'
import type { Files } from './private-server.ts'

/** An hour is four seconds (the least for a window), a day is a minute and a half. */
const SCALE = 0.001
/** With this one a day is nine seconds: the same hour of the last days is within a minute. */
const SEASONS_SCALE = 0.0001

// Windows and ages that are shorter by the scale than what they look for: restarts and canaries take seconds.
const THRESHOLDS = `
  restarts: 2
  restart_window: 12h
  canary_age: 100m
  deferred_age_warning: 80m
  active_connections: 10
  queue_size: 10
  greylist_entries: 20
  scan_latency_mean: 500ms
  scan_latency_p95: 800ms
  anomaly_days: 2
`

export function drillSettings(stack: StackName): Settings {
  const scale = stack === 'anomaly' ? SEASONS_SCALE : SCALE
  const timing = `{ evaluation_interval: 1s, scale: ${scale} }`
  const links = '{ runbooks: "https://runbooks.example.com", grafana: "https://grafana.example.com" }'
  return parseSettings(`thresholds:${THRESHOLDS}timing: ${timing}\nlinks: ${links}\n`, 'the settings of drills')
}

export type Addressees = Readonly<{ smarthostPort: number; webhookFile: string; webUrl: string }>

export const DEAD_MAN_PATH = '/dead-man'
/** Half of it is what Alertmanager is told, and it takes nothing below a second. */
export const DEAD_MAN_EVERY = 2_000

/** Told as shipped, but at once: critical by mail and Slack, warnings by Slack, information to nobody. */
export function drillRouting({ smarthostPort, webhookFile, webUrl }: Addressees): RoutingSettings {
  const settings = parseRouting(`
email: { from: alerts@example.com, to: [ops@example.com], smarthost: "127.0.0.1:${smarthostPort}", tls: false }
slack: { webhook_url_file: "${webhookFile}", critical: "${CHANNELS.critical}", warning: "${CHANNELS.warning}" }
dead_mans_switch: { url: "${webUrl}${DEAD_MAN_PATH}" }
grouping: { wait: 0s, interval: 1s }
escalation: { after: 1d }
`)
  return { ...settings, dead_mans_switch: { ...settings.dead_mans_switch!, every: DEAD_MAN_EVERY } }
}

export const slackUrl = (webUrl: string) => `${webUrl}${SLACK_PATH}`

/** What Alertmanager reads, by path beside its configuration. */
export function alertmanagerFiles(settings: Settings, routing: RoutingSettings): Files {
  return below('alertmanager/', renderRouting(settings, routing))
}

/** What Prometheus reads. */
export function prometheusFiles(settings: Settings, routing: RoutingSettings, targets: Targets): Files {
  const all = [renderRules(settings), renderRouting(settings, routing), renderPrometheus(settings)]
  return { ...below('prometheus/', new Map(all.flatMap(files => [...files]))), ...targetFiles(targets) }
}

export const targetFiles = (targets: Targets): Files => below('prometheus/', renderTargets(targets))

function below(folder: string, files: ReadonlyMap<string, string>): Files {
  const inFolder = [...files].filter(([path]) => path.startsWith(folder))
  return Object.fromEntries(inFolder.map(([path, text]) => [path.slice(folder.length), text]))
}
