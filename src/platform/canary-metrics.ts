// Where canaries are counted: on a catalogue that nobody scrapes, so that the counters of mail tell of mail alone. A
// site with three messages an hour would otherwise have a virus in every other one. What canaries tell is
// elemta_canary_*. One for each catalogue, made when first asked for.
import { isCanary } from '../mail/canary.ts'
import type { AcceptedMessage } from '../mail/record.ts'
import { createMetrics, type Metrics } from './metrics.ts'

const unexposed = new WeakMap<Metrics, Metrics>()

/** The catalogue for canaries beside this one. */
export function canaryMetrics(metrics: Metrics): Metrics {
  const known = unexposed.get(metrics)
  if (known !== undefined) return known
  const made = createMetrics()
  unexposed.set(metrics, made)
  return made
}

/** The catalogue that this message is counted on. */
export function metricsFor(metrics: Metrics, { envelope }: Pick<AcceptedMessage, 'envelope'>): Metrics {
  return isCanary(envelope.recipients.map(({ address }) => address)) ? canaryMetrics(metrics) : metrics
}
