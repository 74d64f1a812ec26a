// docs/metrics.md, written from the catalogue and from what the rules and dashboards really ask: a row for each metric,
// with its labels, what it means, what a spike of it means, and where it is used.
import { GROUPS } from '../src/platform/catalogue/catalogue.ts'
import type { Definition, LabelValues } from '../src/platform/catalogue/definition.ts'
import { type AllUses, findUses, type Uses } from './metric-uses.ts'
import { RECORDS } from './rules/records.ts'

const recordHelp: Readonly<Record<string, string>> = RECORDS

/** Below the folder `monitoring`. */
const PATH = '../docs/metrics.md'

const HEAD = `# Metrics

<!-- Written by \`npm run monitoring\` from src/platform/catalogue: change that. -->

The gateway tells these at \`/metrics\` of its operator's port (\`ops\`), and what clamd says of itself at \`/metrics/clamav\`;
\`elemta clamav exporter\` does the latter alone, for a clamd that serves several gateways.

- Labels have the values that are listed and no others, each at zero from the start. Never an address, a subject or a
  client's IP: a hundred thousand senders add no series.
- Durations are histograms in seconds. Where the column says *exemplars*, each bucket remembers the queue id of the last
  message that fell into it: whoever asks for OpenMetrics sees it (Prometheus with \`--enable-feature=exemplar-storage\`
  keeps it), and \`elemta trace <queue id>\` tells the story.
- *Used by* is read out of the rendered rules and dashboards: alerts in bold, then dashboards with their panels; a use
  through a recorded series counts.
- Node's own metrics stand beside these (\`nodejs_*\`, \`process_*\`), and those of your plugins
  (\`elemta_plugin_<plugin>_<name>\`, [plugins](plugins.md)).
`

/** `rendered`: all other files that are rendered, by their paths below the folder `monitoring`. */
export function renderMetricsDoc(rendered: ReadonlyMap<string, string>): Map<string, string> {
  const uses = findUses(rendered)
  const tables = GROUPS.map(({ title, group }) =>
    section(
      title,
      ['metric', 'type', 'labels', 'meaning', 'a spike means', 'used by'],
      Object.values(group).map(definition => row(definition, uses.of(definition.name))),
    ),
  )
  return new Map([[PATH, [HEAD, ...tables, recordedTable(uses)].join('\n')]])
}

function row(definition: Definition, uses: Uses): string[] {
  const { name, type, labels = {}, help, spike } = definition
  const exemplars = type === 'histogram' && definition.exemplars ? ', exemplars' : ''
  const values = Object.entries(labels).map(([label, of]) => `\`${label}\`: ${valuesText(of)}`)
  return [`\`${name}\``, `${type}${exemplars}`, values.join('<br>'), help, spike, usesText(uses)]
}

function valuesText(values: LabelValues): string {
  return 'from' in values ? values.from : values.join(', ')
}

function usesText({ alerts, panels }: Uses): string {
  const dashboards = [...panels].map(([dashboard, titles]) => `${dashboard}: ${titles.join(', ')}`)
  return [alerts.map(alert => `**${alert}**`).join(', '), ...dashboards].filter(text => text !== '').join('<br>')
}

function recordedTable(uses: AllUses): string {
  const rows = [...uses.recorded].map(([name, names]) => {
    const known = names.filter(name => isKnown(name) || uses.recorded.has(name))
    return [`\`${name}\``, recordHelp[name] ?? '', known.map(name => `\`${name}\``).join(', '), usesText(uses.of(name))]
  })
  return section('Recorded series', ['series', 'meaning', 'from', 'used by'], rows)
}

function isKnown(name: string): boolean {
  return GROUPS.some(({ group }) => Object.values(group).some(definition => definition.name === name))
}

function section(title: string, columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [`## ${title}`, '', line(columns), line(columns.map(() => '---')), ...rows.map(line), ''].join('\n')
}
