// What follows from a verdict for some recipients of a message, as data: the state they move to, the event that tells
// of it, and the job that goes on with them. Pure; the writing is the caller's. A rescan is a matter of time and of the
// scan job, so it is not here.
import { type DeliveryJob, deliveryJobId, type ScanJob } from '../mail/job.ts'
import type { AcceptedMessage, RecipientState, TraceEvent } from '../mail/record.ts'
import type { Verdict } from '../mail/verdict.ts'

export type Consequence = Readonly<{
  state: RecipientState
  events: readonly TraceEvent[]
  delivery?: DeliveryJob
  /** The content is not needed any more. */
  removeContent: boolean
}>

/** `at` in milliseconds since 1970; `job` that was done, absent where the client still waits: the message says it all. */
export function consequenceOf(
  { decision, why, headers }: Verdict,
  { queueId, tags = [], ...message }: AcceptedMessage,
  recipients: readonly string[],
  at: number,
  job?: ScanJob,
): Consequence | undefined {
  switch (decision) {
    case 'deliver':
    case 'tag': {
      const release = job?.release
      const { priority } = job ?? message
      const delivery = {
        kind: 'delivery',
        id: job === undefined ? `${queueId}/delivery/1` : deliveryJobId(job),
        queueId,
        recipients,
        attempt: 1,
        headers: [...tags, ...headers],
        ...(release !== undefined && { release }),
        ...(priority !== undefined && { priority }),
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
