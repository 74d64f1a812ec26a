// In place of src/platform/metrics.ts, for the benchmark: the same metrics on the same registry, none of which is ever
// changed.
import { createMetrics as createReal, type Metrics } from '../../src/platform/metrics.ts'

const nothing = () => {}
const silent = {
  inc: nothing,
  dec: nothing,
  set: nothing,
  observe: nothing,
  reset: nothing,
  startTimer: () => nothing,
  labels: () => silent,
}

export function createMetrics(options: Parameters<typeof createReal>[0] = {}): Metrics {
  const { registry, ...metrics } = createReal(options)
  const none = Object.fromEntries(Object.keys(metrics).map(name => [name, silent]))
  return { ...none, registry } as unknown as Metrics
}
