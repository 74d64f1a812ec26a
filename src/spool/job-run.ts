// One job under its lease: the lease is renewed while the handler works, and is settled whatever happens. A handler that
// throws gives its job back with a growing delay; after `maxTries` it is given up. While the storage is away nothing can
// be blamed on the job: it waits where it is, and is worked on again under the same lease. A job that is called off (`calledOff`:
// whoever runs it has no more time) is given back as if it had not been handed out. Never rejects: when the storage is
// gone too, the lease runs out by itself.
import { setTimeout as pause } from 'node:timers/promises'
import type { Job } from '../mail/job.ts'
import type { Log } from '../platform/log.ts'
import type { Metrics } from '../platform/metrics.ts'
import type { JobQueue, Lease } from '../storage/job-queue.ts'
import { isStorageAway } from '../storage/storage-away.ts'

/** Does the job and settles its lease (`done` belongs into the job's last write). Heeds the signal as well as it can. */
export type JobHandler<J extends Job> = (lease: Lease<J>, signal: AbortSignal) => Promise<void>

export type JobRunOptions<J extends Job> = Readonly<{
  stage: J['kind']
  queue: Pick<JobQueue<J>, 'extend' | 'retry' | 'release'>
  handle: JobHandler<J>
  /** Settles a job that is given up: writes it down and calls `deadLetter`. */
  giveUp(lease: Lease<J>, why: string): Promise<void>
  /** What its handler has taken for itself, when a job is called off, before its lease is released. */
  letGo?(lease: Lease<J>): Promise<void>
  /** Leases are renewed at this interval, in milliseconds. */
  renewEvery?: number
  maxTries?: number
  /** Milliseconds before a job that failed is handed out again, or goes on after the storage was away, by how often. */
  retryDelay?: (tries: number) => number
  log: Log
  metrics: Metrics
}>

/** Of a job whose worker dies or fails; then it is given up. */
const MAX_TRIES = 5

/** 1 s, 2 s, 4 s … at most a minute. */
export function growingDelay(tries: number): number {
  return Math.min(1000 * 2 ** (tries - 1), 60_000)
}

export type JobRun<J extends Job> = Readonly<{
  /** Does the job. With `calledOff` its handler's signal is aborted, too. */
  run(lease: Lease<J>, calledOff?: AbortSignal): Promise<void>
  /** Gives a job back unbegun. */
  giveBack(lease: Lease<J>): Promise<void>
}>

export function createJobRun<J extends Job>(options: JobRunOptions<J>): JobRun<J> {
  const { stage, queue, handle, giveUp, letGo, log, metrics } = options
  const { renewEvery = 60_000, maxTries = MAX_TRIES, retryDelay = growingDelay } = options

  async function giveBack(lease: Lease<J>): Promise<void> {
    const { queueId } = lease.job
    await queue.release(lease).catch(error => log.warn({ queueId, stage, why: String(error) }, 'job-not-returned'))
  }

  async function interrupted(lease: Lease<J>): Promise<void> {
    const { queueId } = lease.job
    await letGo?.(lease).catch(error => log.warn({ queueId, stage, why: String(error) }, 'job-not-returned'))
    await giveBack(lease)
  }

  async function failed(lease: Lease<J>, error: unknown): Promise<void> {
    const { queueId } = lease.job
    metrics.jobCrashes.inc(stage)
    const why = error instanceof Error ? error.message : String(error)
    log.error({ queueId, stage, tries: lease.tries, why, stack: (error as Error)?.stack }, 'job-failed')
    const settled =
      lease.tries < maxTries
        ? queue.retry(lease, retryDelay(lease.tries), why)
        : giveUp(lease, `its worker died or failed ${lease.tries} times, at last: ${why}`)
    await settled.catch(cause => log.error({ queueId, stage, why: String(cause) }, 'job-not-returned'))
  }

  async function work(lease: Lease<J>, signal: AbortSignal): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await handle(lease, signal)
      } catch (error) {
        if (signal.aborted || !isStorageAway(error)) throw error
        log.warn({ queueId: lease.job.queueId, stage, attempt, why: String(error) }, 'storage-away')
        await pause(retryDelay(attempt), undefined, { signal })
      }
    }
  }

  async function run(lease: Lease<J>, calledOff?: AbortSignal): Promise<void> {
    const { queueId } = lease.job
    const end = new AbortController()
    const callOff = () => end.abort(calledOff?.reason)
    calledOff?.addEventListener('abort', callOff)
    const renewal = setInterval(() => {
      queue.extend(lease).then(
        kept => {
          if (!kept) end.abort(new Error('the lease was lost'))
        },
        error => log.warn({ queueId, stage, error: String(error) }, 'lease-not-renewed'),
      )
    }, renewEvery)
    try {
      if (lease.tries > maxTries) await giveUp(lease, `its worker died or failed ${lease.tries - 1} times`)
      else await work(lease, end.signal)
    } catch (error) {
      await (calledOff?.aborted ? interrupted(lease) : failed(lease, error))
    } finally {
      clearInterval(renewal)
      calledOff?.removeEventListener('abort', callOff)
    }
  }

  return { run, giveBack }
}
