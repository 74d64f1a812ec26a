// PromQL for panels, so that the selectors are written once: every query of Elemta's own series is narrowed by $instance,
// delivery by $route too. Recording rules are sums over all instances and take no selector.
// Rates use $__rate_interval: Grafana makes it at least four scrapes wide, so one lost scrape leaves no hole.
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus'
import type { RecordName } from '../rules/records.ts'

/** One query of a panel; `legend` may name labels as {{label}}. */
export type Query = Readonly<{ expr: string; legend: string; exemplar?: boolean }>

/** A recorded series, by a name that rules have. */
export const recorded = (name: RecordName): string => name

type Narrow = Readonly<{ by?: string; where?: string; route?: boolean }>

const selector = (metric: string, { where, route }: Narrow) => {
  const matchers = ['instance=~"$instance"', ...(route ? ['route=~"$route"'] : []), ...(where ? [where] : [])]
  return `${metric}{${matchers.join(',')}}`
}
const aggregate = (how: string, by: string | undefined, inner: string) =>
  by === undefined ? `${how}(${inner})` : `${how} by (${by}) (${inner})`

/** Events per second, summed over the instances chosen. */
export const perSecond = (metric: string, narrow: Narrow = {}) =>
  aggregate('sum', narrow.by, `rate(${selector(metric, narrow)}[$__rate_interval])`)

/** Events per minute: mail is counted in minutes. */
export const perMinute = (metric: string, narrow: Narrow = {}) => `60 * ${perSecond(metric, narrow)}`

/** Events within the time range shown. */
export const inRange = (metric: string, narrow: Narrow = {}) =>
  aggregate('sum', narrow.by, `increase(${selector(metric, narrow)}[$__range])`)

export const sumOf = (metric: string, narrow: Narrow = {}) => aggregate('sum', narrow.by, selector(metric, narrow))
export const maxOf = (metric: string, narrow: Narrow = {}) => aggregate('max', narrow.by, selector(metric, narrow))
export const minOf = (metric: string, narrow: Narrow = {}) => aggregate('min', narrow.by, selector(metric, narrow))

/** Seconds since a timestamp metric; 0 in the metric means unknown and gives no age. */
export const ageOf = (metric: string, narrow: Narrow = {}) => `time() - (${maxOf(metric, narrow)} > 0)`

/** A quantile of a histogram over the instances chosen. */
export function quantile(q: number, metric: string, narrow: Narrow = {}) {
  const by = narrow.by === undefined ? 'le' : `le, ${narrow.by}`
  return `histogram_quantile(${q}, ${perSecond(`${metric}_bucket`, { ...narrow, by })})`
}

/** p50 and p95 of a histogram, exemplars (queue ids) on. */
export function quantiles(metric: string, narrow: Narrow = {}): Query[] {
  const of = narrow.by === undefined ? '' : ` {{${narrow.by}}}`
  return [
    { expr: quantile(0.5, metric, narrow), legend: `p50${of}`, exemplar: true },
    { expr: quantile(0.95, metric, narrow), legend: `p95${of}`, exemplar: true },
  ]
}

/** The SDK's query: `kind` says whether the panel wants a line, one value, a table or the buckets of a heatmap. */
export function target(query: Query, index: number, kind: 'range' | 'instant' | 'table' | 'heatmap'): DataqueryBuilder {
  const built = new DataqueryBuilder()
    .refId(String.fromCharCode(65 + index))
    .expr(query.expr)
    .legendFormat(query.legend)
    .datasource({ type: 'prometheus', uid: '$datasource' })
  if (query.exemplar) built.exemplar(true)
  switch (kind) {
    case 'range':
      return built.range()
    case 'instant':
      return built.instant()
    case 'table':
      return built.instant().format(PromQueryFormat.Table)
    case 'heatmap':
      return built.range().format(PromQueryFormat.Heatmap)
  }
}
