// The files of alert routing as they are shipped, by path in the repository: Alertmanager's configuration and templates,
// and the rule that escalates. A site's own come from the same functions, by install.ts.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DEFAULT_SETTINGS, type Settings } from '../thresholds.ts'
import { renderAlertmanager } from './alertmanager.ts'
import { renderEscalation } from './escalation.ts'
import { loadRouting, type RoutingSettings } from './settings.ts'

const MONITORING = join(import.meta.dirname, '..')
const TEMPLATES = 'alertmanager/templates/elemta.tmpl'

export const ROUTING_FILE = join(MONITORING, 'routing.yaml')

/** Text by path. `deadMansUrl`: what the settings' url_file holds. */
export function renderRouting(
  routing: RoutingSettings = loadRouting(ROUTING_FILE),
  { links }: Pick<Settings, 'links'> = DEFAULT_SETTINGS,
  deadMansUrl = routing.dead_mans_switch?.url,
): Map<string, string> {
  return new Map([
    ['monitoring/alertmanager/alertmanager.yml', renderAlertmanager(routing, deadMansUrl)],
    [`monitoring/${TEMPLATES}`, readFileSync(join(MONITORING, TEMPLATES), 'utf8')],
    ['monitoring/prometheus/rules/escalation.yml', renderEscalation(routing, links)],
  ])
}
