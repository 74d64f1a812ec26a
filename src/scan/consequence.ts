// What follows from a verdict for some recipients of a message, as data: the state they move to, the event that tells
// of it, and the job that goes on with them. Pure; the writing is the caller's. A rescan is a matter of time and of the
// scan job, so it is not here.
import type { DeliveryJob, Release } from '../mail/job.ts'
import type { AcceptedMessage, RecipientState, TraceEvent } from '../mail/record.ts'
import type { Verdict } from '../mail/verdict.ts'

export type Consequence = Readonly<{
  state: RecipientState
  events: readonly TraceEvent[]
  delivery?: DeliveryJob
  /** The content is not needed any more. */
  removeContent: boolean
}>

/** `at` in milliseconds since 1970; `id` and `release` for the delivery job. */
export function consequenceOf(
  { decision, why, headers }: Verdict,
  { queueId, tags = [] }: AcceptedMessage,
  recipients: readonly string[],
  at: number,
  id = `${queueId}/delivery/1`,
  release?: Release,
): Consequence | undefined {
  switch (decision) {
    case 'deliver':
    case 'tag': {
      const delivery = {
        kind: 'delivery',
        id,
        queueId,
        recipients,
        attempt: 1,
        headers: [...tags, ...headers],
        ...(release !== undefined && { release }),
      } as const
      return { state: 'queued', events: [], delivery, removeContent: false }
    }
    case 'quarantine':
      return { state: 'quarantined', events: [{ at, event: 'quarantined', recipients, why }], removeContent: false }
    case 'hold':
      return { state: 'held', events: [{ at, event: 'held', recipients, why }], removeContent: false }
    case 'discard':
      return { state: 'discarded', events: [{ at, event: 'discarded', recipients, why }], removeContent: true }
    case 'rescan':
      return undefined
  }
}
