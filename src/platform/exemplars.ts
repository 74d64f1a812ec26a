// For each bucket of a latency the message that was last in it, so that one leads from a graph to `elemta trace`.
// Kept beside prom-client's metrics, whose own exemplars are for registries that speak OpenMetrics and nothing else.
import type { Registry } from 'prom-client'

export type Exemplar = Readonly<{ queueId: string; value: number /** Milliseconds since 1970. */; at: number }>
type Labels = Readonly<Record<string, string | number>>

const kept = new WeakMap<Registry, Map<string, Exemplar>>()

/** Returns what remembers the messages of one histogram. */
export function rememberExemplars(registry: Registry, name: string, buckets: readonly number[]) {
  const exemplars = kept.get(registry) ?? new Map<string, Exemplar>()
  kept.set(registry, exemplars)
  return function remember(labels: Labels, value: number, queueId: string): void {
    const bucket = buckets.find(bound => value <= bound) ?? '+Inf'
    exemplars.set(keyOf(name, labels, bucket), { queueId, value, at: Date.now() })
  }
}

/** Of the bucket that ends at `bucket`; undefined when nothing was in it. */
export function exemplarOf(
  registry: Registry,
  name: string,
  labels: Labels,
  bucket: number | string,
): Exemplar | undefined {
  return kept.get(registry)?.get(keyOf(name, labels, bucket))
}

function keyOf(name: string, labels: Labels, bucket: number | string): string {
  const values = Object.keys(labels).sort()
  return [name, ...values.map(label => labels[label]), bucket].join('\n')
}
