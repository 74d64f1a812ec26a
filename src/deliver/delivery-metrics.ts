// What is counted of deliveries, by the route that a recipient's domain takes. A route's series stand at zero as soon
// as it is configured; those of a route that is gone stay until the restart, as counters must.
import type { DeliveryJob } from '../mail/job.ts'
import type { AcceptedMessage } from '../mail/record.ts'
import type { Metrics } from '../platform/metrics.ts'
import type { Settled } from './dsn.ts'
import { FAILURE_REASONS } from './failure-reason.ts'
import { DEFAULT_ROUTE } from './routes.ts'

/** Makes the series of these routes. */
export function presetRoutes(names: readonly string[], metrics: Metrics): void {
  for (const route of names) {
    metrics.deliveryAttempts.inc({ route }, 0)
    metrics.deliverySuccesses.inc({ route }, 0)
    metrics.deliveryRetries.inc({ route }, 0)
    metrics.deliveryDuration.zero({ route })
    for (const kind of ['deferred', 'failed']) metrics.deliveryFailures.inc({ route, kind }, 0)
    for (const reason of FAILURE_REASONS) metrics.deliveryFailureReasons.inc({ route, reason }, 0)
  }
}

/** Counts one recipient's outcome. One that was only postponed is no attempt: nobody was asked. */
export function countOutcome(
  { acceptedAt }: Pick<AcceptedMessage, 'acceptedAt'>,
  { queueId, attempt, release }: DeliveryJob,
  { outcome, state }: Settled,
  { now, metrics }: Readonly<{ now: () => number; metrics: Metrics }>,
): void {
  const { seconds, retryAt, route = DEFAULT_ROUTE } = outcome
  const postponed = retryAt !== undefined
  if (!postponed) {
    metrics.deliveryAttempts.inc({ route })
    if (attempt > 1) metrics.deliveryRetries.inc({ route })
    else metrics.firstAttemptDelay.observe(Math.max(0, now() - (release?.at ?? acceptedAt)) / 1000, { queueId })
    metrics.deliveryDuration.observe(seconds, { queueId, labels: { route } })
  }
  if (state === 'delivered') {
    metrics.deliverySuccesses.inc({ route })
    metrics.messagesDelivered.inc()
    if (release !== undefined) metrics.quarantineReleased.inc()
  } else if (!(postponed && state === 'deferred')) {
    metrics.deliveryFailures.inc({ route, kind: state })
    if (state === 'failed') metrics.messagesFailed.inc()
  }
}
