// The files of alert routing, by path below the folder `monitoring`: Alertmanager's configuration and templates, and the
// rule that escalates. Without a site's own routing: what is shipped. The dead-man's URL is a secret: with it the
// configuration belongs into a file that only Alertmanager can read (install.ts).
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Settings } from '../thresholds.ts'
import { renderAlertmanager } from './alertmanager.ts'
import { renderEscalation } from './escalation.ts'
import { loadRouting, type RoutingSettings } from './settings.ts'

const MONITORING = join(import.meta.dirname, '..')
const TEMPLATES = 'alertmanager/templates/elemta.tmpl'

export const ROUTING_FILE = join(MONITORING, 'routing.yaml')
export const CONFIGURATION = 'alertmanager/alertmanager.yml'

/** Text by path. `deadMansUrl`: what the routing's url_file holds. */
export function renderRouting(
  settings: Pick<Settings, 'links' | 'timing'>,
  routing: RoutingSettings = loadRouting(ROUTING_FILE),
  deadMansUrl = routing.dead_mans_switch?.url,
): Map<string, string> {
  return new Map([
    [CONFIGURATION, renderAlertmanager(routing, deadMansUrl)],
    [TEMPLATES, readFileSync(join(MONITORING, TEMPLATES), 'utf8')],
    ['prometheus/rules/escalation.yml', renderEscalation(routing, settings)],
  ])
}
