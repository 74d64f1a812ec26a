// The metrics of a process, made from the catalogue on a registry of their own. How each is set follows from its
// labels: none, or several: prom-client's own; one whose values are listed: by that value.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { CATALOGUE } from './catalogue/catalogue.ts'
import type { Definition, Group } from './catalogue/definition.ts'
import { rememberExemplars } from './exemplars.ts'

/** A latency whose buckets remember the message that was in them last. `labels` where it has some. */
export type Latency<Label extends string = never> = Readonly<{
  /** Makes the series: for labels whose values are known at the start only. */
  zero(labels: Record<Label, string>): void
  observe(seconds: number, about?: Observed<Label>): void
  /** Call what it returns when the time is over. */
  startTimer(): (about?: Observed<Label>) => void
}>
type Observed<Label extends string> = Readonly<{ queueId?: string | undefined; labels?: Record<Label, string> }>
export type CounterBy<Value extends string> = Readonly<{ inc(value: Value, by?: number): void }>
export type GaugeBy<Value extends string> = Readonly<{ set(value: Value, to: number): void }>

type LabelsOf<D> = D extends { labels: infer Labels } ? Labels : Record<never, never>
type LabelName<D> = Extract<keyof LabelsOf<D>, string>
type IsUnion<T, U = T> = T extends U ? ([U] extends [T] ? false : true) : never
/** The values of the one label there is, when they are listed. */
type OneList<D> =
  IsUnion<LabelName<D>> extends true
    ? never
    : LabelsOf<D>[keyof LabelsOf<D>] extends readonly (infer V extends string)[]
      ? V
      : never

type MetricOf<D extends Definition> = D extends { type: 'histogram' }
  ? D extends { exemplars: true }
    ? Latency<LabelName<D>>
    : Histogram<LabelName<D>>
  : [OneList<D>] extends [never]
    ? D extends { type: 'counter' }
      ? Counter<LabelName<D>>
      : Gauge<LabelName<D>>
    : D extends { type: 'counter' }
      ? CounterBy<OneList<D>>
      : GaugeBy<OneList<D>>

export type MetricsOf<G extends Group> = { readonly [Name in keyof G]: MetricOf<G[Name]> } & {
  readonly registry: Registry
}
export type Metrics = MetricsOf<typeof CATALOGUE>

/** All metrics on a fresh registry. `process` adds Node's own (`nodejs_*`, `process_*`): once per process. */
export function createMetrics({ process = false } = {}): Metrics {
  const metrics = metricsOf(CATALOGUE)
  if (process) collectDefaultMetrics({ register: metrics.registry })
  for (const scanner of ['clamav', 'rspamd']) {
    for (const outcome of ['pass', 'error']) metrics.pluginExecutions.labels(scanner, outcome).inc(0)
  }
  return metrics
}

/** The metrics of one group on a fresh registry. */
export function metricsOf<G extends Group>(group: G): MetricsOf<G> {
  const registry = new Registry()
  const made = Object.entries(group).map(([key, definition]) => [key, metricOf(definition, registry)])
  return Object.assign(Object.fromEntries(made), { registry })
}

function metricOf(definition: Definition, registry: Registry) {
  const { name, help, type, labels = {} } = definition
  const about = { name, help, labelNames: Object.keys(labels), registers: [registry] }
  if (type === 'histogram') return histogramOf(definition, about)
  const metric = type === 'counter' ? new Counter(about) : new Gauge(about)
  const series = combinations(Object.entries(labels))
  for (const one of series ?? []) metric.inc(one, 0)
  if (about.labelNames.length !== 1 || series === undefined) return metric
  const byValue = new Map(series.map(one => [Object.values(one)[0]!, metric.labels(one)]))
  return {
    inc: (value: string, by?: number) => byValue.get(value)!.inc(by),
    set: (value: string, to: number) => (byValue.get(value) as Gauge.Internal<string>).set(to),
  }
}

type About = Readonly<{ name: string; help: string; labelNames: string[]; registers: Registry[] }>

function histogramOf(definition: Extract<Definition, { type: 'histogram' }>, about: About) {
  const { buckets, exemplars = false, labels = {} } = definition
  const histogram = new Histogram({ ...about, buckets: [...buckets] })
  if (about.labelNames.length > 0) {
    for (const one of combinations(Object.entries(labels)) ?? []) histogram.zero(one)
  }
  if (!exemplars) return histogram
  const remember = rememberExemplars(about.registers[0]!, about.name, buckets)
  const observe: Latency<string>['observe'] = (seconds, { queueId, labels = {} } = {}) => {
    histogram.observe(labels, seconds)
    if (queueId !== undefined) remember(labels, seconds, queueId)
  }
  const startTimer: Latency<string>['startTimer'] = () => {
    const startedAt = performance.now()
    return about => observe((performance.now() - startedAt) / 1000, about)
  }
  return { zero: (one: Record<string, string>) => histogram.zero(one), observe, startTimer }
}

/** Every series that the listed values make; undefined when a label's values are not listed. */
function combinations(labels: readonly (readonly [string, unknown])[]): Record<string, string>[] | undefined {
  let series: Record<string, string>[] = [{}]
  for (const [name, values] of labels) {
    if (!Array.isArray(values)) return undefined
    series = series.flatMap(one => (values as string[]).map(value => ({ ...one, [name]: value })))
  }
  return series
}
