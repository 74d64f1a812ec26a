// Renders the rules as Prometheus reads them, and gives every alert its links: the runbook by its name, the dashboard
// by its uid. An alert cannot be written without them, so none goes out without them.
import { stringify } from 'yaml'
import { formatDuration } from '../../src/platform/config-units.ts'
import type { Settings } from '../thresholds.ts'
import { ruleFiles } from './groups.ts'
import type { AlertRule, Rule, RuleGroup } from './rule.ts'

const HEAD = '# Written by `npm run monitoring` from monitoring/rules and monitoring/thresholds.ts: change those.\n'

/** Paths below the folder `monitoring`, with their texts. */
export function renderRules(settings: Settings): Map<string, string> {
  return new Map(
    [...ruleFiles(settings)].map(([name, groups]) => [`prometheus/rules/${name}.yml`, renderGroups(groups, settings)]),
  )
}

/** One rule file. */
export function renderGroups(groups: readonly RuleGroup[], { links }: Pick<Settings, 'links'>): string {
  const document = {
    groups: groups.map(({ name, interval, rules }) => ({
      name,
      ...(interval !== undefined && { interval: formatDuration(interval) }),
      rules: rules.map(rule => prometheusRule(rule, links)),
    })),
  }
  return HEAD + stringify(document, { lineWidth: 0, blockQuote: 'literal' })
}

/** What an alert's notification links to, and says. */
export function annotationsOf({ name, summary, description, dashboard }: AlertRule, links: Settings['links']) {
  return {
    summary,
    description,
    runbook_url: `${links.runbooks.replace(/\/$/, '')}/${name}.md`,
    dashboard_url: `${links.grafana.replace(/\/$/, '')}/d/${dashboard}`,
  }
}

export function labelsOf({ severity, team, slo, labels }: AlertRule): Record<string, string> {
  return { severity, team, ...(slo && { slo }), ...labels }
}

function prometheusRule(rule: Rule, links: Settings['links']) {
  if (rule.kind === 'record') return { record: rule.name, expr: rule.expr }
  return {
    alert: rule.name,
    expr: rule.expr,
    for: formatDuration(rule.for),
    labels: labelsOf(rule),
    annotations: annotationsOf(rule, links),
  }
}
