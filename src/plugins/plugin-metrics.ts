// A plugin's own metrics: on the common registry, named `elemta_plugin_<plugin>_<name>`, so that they stand beside
// ours on /metrics and cannot be mistaken for them. Label values come from closed sets, given when the metric is made.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

type Labels = Readonly<{ label: string; values: readonly string[] }>

export type PluginMetrics = Readonly<{
  counter(name: string, help: string): { inc(by?: number): void }
  /** One label, each of its values at zero from the start. */
  counterBy(name: string, help: string, labels: Labels): { inc(value: string, by?: number): void }
  gauge(name: string, help: string): { set(to: number): void }
  /** In seconds, unless the name says otherwise. */
  histogram(name: string, help: string, buckets?: readonly number[]): { observe(value: number): void }
}>

/** The same name again, after a reload of the configuration, is the same metric. Throws on a name that Prometheus refuses. */
export function createPluginMetrics(registry: Registry, plugin: string): PluginMetrics {
  const prefix = `elemta_plugin_${plugin.replaceAll(/[^a-z0-9]+/gi, '_').replaceAll(/^_+|_+$/g, '')}_`
  const full = (name: string) => prefix + name
  const registers = [registry]

  function once<M>(name: string, make: (name: string) => M): M {
    const known = registry.getSingleMetric(full(name)) as M | undefined
    return known ?? make(full(name))
  }

  return {
    counter: (name, help) => once(name, name => new Counter({ name, help, registers })),
    counterBy(name, help, { label, values }) {
      const metric = once(name, name => new Counter({ name, help, labelNames: [label], registers }))
      for (const value of values) metric.labels(value).inc(0)
      return { inc: (value, by = 1) => metric.labels(value).inc(by) }
    },
    gauge: (name, help) => once(name, name => new Gauge({ name, help, registers })),
    histogram: (name, help, buckets) =>
      once(name, name => new Histogram({ name, help, registers, ...(buckets && { buckets: [...buckets] }) })),
  }
}
