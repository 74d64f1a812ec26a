// Jobs: the units of work on the queues, and the only things that stages hand to each other.
// A job carries ids and decisions, never content: a worker reads that from the message store.
import type { HeaderField } from './verdict.ts'

type JobOf = Readonly<{
  /** Unique among jobs: enqueueing the same id again while it is queued changes nothing. */
  id: string
  queueId: string
  /** The recipients whose fate this job decides; the ledger counts them while the job exists. */
  recipients: readonly string[]
  /** 1 for the first attempt; grows with every deferral. */
  attempt: number
}>

/** Released from quarantine by a person: not caught again for what it was caught for. Signed, for these recipients only. */
export type Release = Readonly<{ by: string; at: number; signature: string }>

export type ScanJob = JobOf & Readonly<{ kind: 'scan'; release?: Release }>

export type DeliveryJob = JobOf &
  Readonly<{
    kind: 'delivery'
    /** Verdict headers, put in front of the content when delivering. */
    headers: readonly HeaderField[]
    /** Told as released once the next hop has taken it. */
    release?: Release
  }>

export type Job = ScanJob | DeliveryJob

/** A job that waits for its next attempt: normal, not an error. The sweeper puts it back on its queue when due. */
export type Deferral = Readonly<{ job: Job; dueAt: number }>

/** The due time of a job that an operator holds: no sweep reaches it, and the ledger counts its recipients as held. */
export const HELD = Number.MAX_SAFE_INTEGER
