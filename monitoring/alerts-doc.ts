// docs/alerts.md, written from the rules: every alert with its severity, whose it is, when it fires, and its runbook.
import { formatDuration } from '../src/platform/config-units.ts'
import { DASHBOARDS } from './dashboards/names.ts'
import { alertRules } from './rules/groups.ts'
import type { AlertRule } from './rules/rule.ts'
import type { Settings } from './thresholds.ts'

/** Below the folder `monitoring`. */
const PATH = '../docs/alerts.md'

const HEAD = `# Alerts

<!-- Written by \`npm run monitoring\` from monitoring/rules: change that. -->

Each with what it says, how long that must last, the settings of \`thresholds.yaml\` that decide
(\`monitoring/thresholds.example.yaml\` has their defaults), and the dashboard that shows it. The name leads to the runbook.
Who is told: [alert routing](alert-routing.md). Besides these, \`CriticalUnanswered\` tells the second in line of a
critical alert that nobody ended or silenced.

| alert | severity | team | says | lasts | settings | dashboard |
| --- | --- | --- | --- | --- | --- | --- |
`

export function renderAlertsDoc(settings: Settings): Map<string, string> {
  return new Map([[PATH, `${HEAD}${alertRules(settings).map(row).join('')}`]])
}

function row(rule: AlertRule): string {
  const { name, severity, team, thresholds, dashboard } = rule
  const cells = [
    `[${name}](../monitoring/runbooks/${name}.md)`,
    severity,
    team,
    readable(rule.summary),
    rule.for === 0 ? 'at once' : formatDuration(rule.for),
    thresholds.map(setting => `\`${setting}\``).join(', '),
    DASHBOARDS[dashboard].title,
  ]
  return `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |\n`
}

/** A summary without the marks of Go's templates: what is filled in stands in angle brackets. */
function readable(summary: string): string {
  return summary
    .replaceAll(/\{\{ (?:if|with|else|end|range)[^}]*\}\}/g, '')
    .replaceAll(/\{\{ \$labels\.(\w+)[^}]*\}\}/g, '‹$1›')
    .replaceAll(/\{\{[^}]*\}\}/g, '‹…›')
}
