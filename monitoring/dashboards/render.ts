// Dashboards and Grafana's provisioning as files: what Grafana loads at its start, and what people import by hand.
import { stringify } from 'yaml'
import { DEFAULT_SETTINGS, type Settings } from '../thresholds.ts'
import { grafanaRules } from './alerting.ts'
import { dashboards } from './all.ts'
import { provisioning } from './provisioning.ts'

const HEAD = '# Written by `npm run monitoring` from monitoring/dashboards and monitoring/rules: change those.\n'
const yaml = (document: unknown) =>
  HEAD + stringify(document, { lineWidth: 0, blockQuote: 'literal', aliasDuplicateObjects: false, version: '1.1' })

/** Texts by path below the folder `monitoring`. */
export function renderDashboards(settings: Settings = DEFAULT_SETTINGS): Map<string, string> {
  const all = dashboards(settings)
  return new Map([
    ...all.map(board => [`grafana/dashboards/${board.uid}.json`, `${JSON.stringify(board, undefined, 2)}\n`] as const),
    ['grafana/provisioning/alerting/rules.yml', yaml(grafanaRules(settings, all))],
    ...Object.entries(provisioning(settings)).map(([path, document]) => [path, yaml(document)] as const),
  ])
}
