// Port: a queue of jobs of one kind. May hand a job out twice (at-least-once); never loses one.
// What is urgent is handed out first, but of four jobs one is whoever waits longest: nothing ever starves. Where queues
// know no priority (SQS) an adapter keeps one for each, and asks them in these turns.
// Adapters: job-queue-sqlite. Every adapter passes test/contract/job-queue.ts, and one with
// priorities job-queue-priority.ts.
import type { Job } from '../mail/job.ts'

/** An exclusive right to a job for a time. */
export type Lease<J extends Job> = Readonly<{
  job: J
  /** How often the job was begun, this time included: 1 unless a worker died or gave it back. */
  tries: number
  /** Milliseconds since 1970. */
  enqueuedAt: number
  /** The adapter's proof of the lease. */
  token: string
}>

export type DeadLetter<J extends Job> = Readonly<{ job: J; reason: string; enqueuedAt: number }>

export type QueueTally = Readonly<{
  /** Jobs and their recipients, by where they stand. */
  incoming: Readonly<{ jobs: number; recipients: number }>
  active: Readonly<{ jobs: number; recipients: number }>
  dead: Readonly<{ jobs: number; recipients: number }>
  /** When the oldest job that is not dead was enqueued, milliseconds since 1970; absent when there is none. */
  oldestEnqueuedAt?: number
}>

export interface JobQueue<J extends Job> {
  /** Durable when it resolves. A job whose id is queued already changes nothing. */
  enqueue(job: J): Promise<void>
  /** Up to `max` jobs, by priority and then oldest first; waits until there is one. Resolves empty only once `signal` is aborted. */
  lease(max: number, signal: AbortSignal): Promise<Lease<J>[]>
  /**
   * A job that was tried before begins now: from here on the lease counts as a try, should its worker die. False when
   * the lease is lost. Adapters that cannot tell count from the handing out.
   */
  begin(lease: Lease<J>): Promise<boolean>
  /** Starts the lease's time again; false when the lease is lost: stop working on the job. */
  extend(lease: Lease<J>): Promise<boolean>
  /** The job is finished and leaves the queue. A lost lease changes nothing. */
  done(lease: Lease<J>): Promise<void>
  /** Gives the job back, to be handed out again after `delay` milliseconds. */
  retry(lease: Lease<J>, delay: number, reason: string): Promise<void>
  /** From now on the job is about these recipients only: the others have their end. A lost lease changes nothing. */
  narrow(lease: Lease<J>, recipients: readonly string[]): Promise<void>
  /** Gives the job back unbegun, as if it had not been handed out. A lost lease changes nothing. */
  release(lease: Lease<J>): Promise<void>
  /** The job crashed its workers too often: kept with its reason, not handed out again. */
  deadLetter(lease: Lease<J>, reason: string): Promise<void>
  /**
   * Leases the jobs of one message that nobody works on, dead letters among them: for an operator, who then settles
   * them as a worker does. Their ids begin with `queueId/`.
   */
  leaseOf(queueId: string): Promise<Lease<J>[]>
  /** Dead letters, oldest first. */
  dead(max: number): Promise<readonly DeadLetter<J>[]>
  /** Puts a dead letter back on the queue as if it were new; false when there is none of that id. */
  redrive(jobId: string): Promise<boolean>
  tally(): Promise<QueueTally>
}
