// /metrics in the format that knows exemplars (OpenMetrics 1.0), for whoever asks for it; everybody else gets
// prom-client's plain text. Our own writer: prom-client renames its counters for good when it writes OpenMetrics, so
// that two scrapers who want different formats would spoil each other's names.
// Series have the same names and labels in both, so that a change of format starts no new ones: `le="1"` stays as it is.
import type { Registry } from 'prom-client'
import { exemplarOf } from './exemplars.ts'

export const OPENMETRICS_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8'

type Value = Readonly<{ labels: Readonly<Record<string, string | number>>; value: number; metricName?: string }>

/** Whether `accept`, the header field of a request, would rather have OpenMetrics than plain text. */
export function wantsOpenMetrics(accept: string | undefined): boolean {
  if (accept === undefined) return false
  const weights = accept.split(',').map(range => {
    const [type = '', ...parameters] = range.split(';').map(part => part.trim().toLowerCase())
    const q = parameters.find(parameter => parameter.startsWith('q='))
    return { type, weight: q === undefined ? 1 : Number(q.slice(2)) || 0 }
  })
  const weightOf = (wanted: string) => Math.max(0, ...weights.map(({ type, weight }) => (type === wanted ? weight : 0)))
  const open = weightOf('application/openmetrics-text')
  return open > 0 && open >= weightOf('text/plain')
}

/** All metrics of a registry, with the exemplars that are known of its latencies. */
export async function formatOpenMetrics(registry: Registry): Promise<string> {
  const lines: string[] = []
  for (const { name, help, type, values } of await registry.getMetricsAsJSON()) {
    // A counter's samples end in _total, its name does not; one of a plugin that has no such name keeps it.
    const counts = String(type) === 'counter'
    const isCounter = counts && name.endsWith('_total')
    const family = isCounter ? name.slice(0, -'_total'.length) : name
    lines.push(`# HELP ${family} ${escaped(help)}`, `# TYPE ${family} ${counts && !isCounter ? 'unknown' : type}`)
    for (const { labels, value, metricName = name } of values as Value[]) {
      lines.push(`${metricName}${labelsText(labels)} ${valueText(value)}${exemplarText(registry, name, labels)}`)
    }
  }
  return `${lines.join('\n')}\n# EOF\n`
}

function exemplarText(registry: Registry, name: string, { le, ...labels }: Value['labels']): string {
  const exemplar = le === undefined ? undefined : exemplarOf(registry, name, labels, le)
  if (exemplar === undefined) return ''
  return ` # ${labelsText({ queue_id: exemplar.queueId })} ${valueText(exemplar.value)} ${exemplar.at / 1000}`
}

function labelsText(labels: Value['labels']): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(String(value))}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function valueText(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (Number.isFinite(value)) return String(value)
  return value > 0 ? '+Inf' : '-Inf'
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')
}
