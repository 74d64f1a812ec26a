// The items that a message has beside its own: recipients and jobs, as they are when they are made.
import type { Job } from '../mail/job.ts'
import type { AcceptedMessage, RecipientState } from '../mail/record.ts'
import { jobKey, jobListing, recipientKey, recipientListing, senderKeyOf, sortable } from './record-keys-dynamodb.ts'
import type { Item } from './table-dynamodb.ts'

export function distinctRecipients({ envelope }: AcceptedMessage): string[] {
  return [...new Set(envelope.recipients.map(recipient => recipient.address))]
}

/** A recipient has what lists show of it, so that they need not read its message. */
export function recipientItem(message: AcceptedMessage, recipient: string, state: RecipientState): Item {
  const { queueId, acceptedAt, envelope, size } = message
  const sender = envelope.reversePath
  return {
    ...recipientKey(queueId, recipient),
    state,
    sender,
    senderShard: senderKeyOf(queueId, sender),
    acceptedAt,
    size,
    ...present(recipientListing(queueId, recipient, state)),
  }
}

/** Where a job stands: times in milliseconds since 1970. */
export type JobStanding = Readonly<{ enqueuedAt: number; visibleAt: number; tries: number; token?: string }>

export function jobItem(job: Job, standing: JobStanding): Item {
  return {
    ...jobKey(job.kind, job.id),
    doc: JSON.stringify(job),
    recipients: job.recipients.length,
    ...standing,
    dead: false,
    ...jobListing(job, 'open', standing.enqueuedAt),
  }
}

export function present<T extends Record<string, string>>(attributes: T): Partial<Record<keyof T, string>> {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== '')) as Partial<T>
}

/** Places of events: times in microseconds that grow with each call, so that a story is in the order it was told in. */
export type EventClock = () => string

export function createEventClock(): EventClock {
  const own = Math.random().toString(36).slice(2, 8)
  let last = 0
  return () => {
    last = Math.max(last + 1, Date.now() * 1000)
    return `${sortable(last)}#${own}`
  }
}
