// Jobs: the units of work on the queues, and the only things that stages hand to each other.
// A job carries ids and decisions, never content: a worker reads that from the message store.
import type { Priority } from './priority.ts'
import type { HeaderField } from './verdict.ts'

type JobOf = Readonly<{
  /**
   * Unique among jobs: enqueueing the same id again while it is queued changes nothing. `queueId/kind/attempt`, and
   * another part where a message has several jobs: see `nextJobId` and `splitJobId`.
   */
  id: string
  queueId: string
  /** The recipients whose fate this job decides; the ledger counts them while the job exists. */
  recipients: readonly string[]
  /** 1 for the first attempt; grows with every deferral. */
  attempt: number
  /** Absent: normal. */
  priority?: Priority
}>

/** Released from quarantine by a person: not caught again for what it was caught for. Signed, for these recipients only. */
export type Release = Readonly<{ by: string; at: number; signature: string }>

export type ScanJob = JobOf & Readonly<{ kind: 'scan'; release?: Release }>

export type DeliveryJob = JobOf &
  Readonly<{
    kind: 'delivery'
    /** Verdict headers, put in front of the content when delivering. */
    headers: readonly HeaderField[]
    /** Where an operator sends it instead of where the routes say: a next hop as in the configuration. */
    to?: string
    /** Told as released once the next hop has taken it. */
    release?: Release
  }>

export type Job = ScanJob | DeliveryJob

/** A job that waits for its next attempt: normal, not an error. The sweeper puts it back on its queue when due. */
export type Deferral = Readonly<{ job: Job; dueAt: number }>

/** The id of a job's next attempt: no two jobs of one message come to have the same. */
export function nextJobId({ id, attempt }: Job): string {
  const [queueId, kind, , ...line] = id.split('/')
  return [queueId, kind, attempt + 1, ...line].join('/')
}

/** The id of the delivery job that follows from a scan job. */
export function deliveryJobId({ id }: ScanJob): string {
  const [queueId, , , ...line] = id.split('/')
  return [queueId, 'delivery', 1, ...line].join('/')
}

/** The id for some of the recipients of a job, who part from the others. `line` is random. */
export function splitJobId({ id }: Job, line: string): string {
  return [...id.split('/').slice(0, 3), line].join('/')
}

/** The due time of a job that an operator holds: no sweep reaches it, and the ledger counts its recipients as held. */
export const HELD = Number.MAX_SAFE_INTEGER
