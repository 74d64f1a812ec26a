// Recipients in doubt: their dot went out, and nobody knows what became of it. They are tried again, for twice is better
// than never; each doubt is counted and logged, and one that a crash left becomes a step of the message's story.
import type { DeliveryJob } from '../mail/job.ts'
import type { Log } from '../platform/log.ts'
import type { Metrics } from '../platform/metrics.ts'
import type { Backends } from '../storage/backends.ts'
import type { ClaimedRecipient } from '../storage/record-store.ts'
import type { Outcome } from './outcome.ts'

type Options = Readonly<{
  backends: Pick<Backends, 'records' | 'provisionally'>
  now: () => number
  log: Log
  metrics: Metrics
}>

/** Writes down, once, what attempts have left that ended without an outcome: their worker died, or its storage failed. */
export async function noteDoubts(
  { queueId }: DeliveryJob,
  claimed: readonly ClaimedRecipient[],
  { backends: { records, provisionally }, now, log, metrics }: Options,
): Promise<void> {
  const marked = claimed.flatMap(({ recipient, sending }) => (sending ? [{ recipient, ...sending }] : []))
  if (marked.length === 0) return
  for (const { recipient, nextHop, attempt, at } of marked) {
    const since = new Date(at).toISOString()
    log.warn({ queueId, recipient, nextHop, attempt, since, why: 'crash' }, 'delivery-in-doubt')
  }
  metrics.deliveryInDoubt.inc('crash', marked.length)
  const attempts = Map.groupBy(marked, ({ claimant, nextHop }) => `${claimant} ${nextHop}`).values()
  const writes = [...attempts].flatMap(some => {
    const { nextHop, attempt, at: sentAt, claimant } = some[0]!
    const recipients = some.map(({ recipient }) => recipient)
    const event = { at: now(), event: 'in-doubt', recipients, nextHop, attempt, sentAt } as const
    return [() => records.note(queueId, [event], []), () => records.unmark(queueId, recipients, claimant)]
  })
  // Should a power cut undo it, so may it have undone the mark.
  await provisionally(...writes)
}

/** A next hop that went away, or said nothing, after the dot: the deferral tells the rest. */
export function tellDoubt(
  { queueId, attempt }: DeliveryJob,
  { recipient, nextHop, reply }: Outcome,
  { log, metrics }: Pick<Options, 'log' | 'metrics'>,
): void {
  log.warn({ queueId, recipient, nextHop, attempt, why: 'no-reply', reply }, 'delivery-in-doubt')
  metrics.deliveryInDoubt.inc('no-reply')
}
