// The one worker loop: lease, run, settle; drain on demand. What a job means is the handler's business.
// A handler that throws gives its job back with a growing delay; a job whose worker died is handed out again by the
// queue. After `maxTries` a job goes to the dead letters with its reason. A job that was tried before is suspected of
// killing its worker and begins alone; until then this is no
// try, and other suspects are given back. So
// the innocent ones around it do not share its fate. One that still lives after a while is only slow: then the others
// go on beside it, or a next hop that hangs would hold up everybody's mail.
import type { Job } from '../mail/job.ts'
import type { Log } from '../platform/log.ts'
import type { Metrics } from '../platform/metrics.ts'
import type { JobQueue, Lease } from '../storage/job-queue.ts'

export type WorkerOptions<J extends Job> = Readonly<{
  stage: J['kind']
  queue: JobQueue<J>
  /** Jobs in work at the same time. */
  concurrency: number
  /** Does the job and settles its lease (`done` belongs into the job's last write). */
  handle(lease: Lease<J>, signal: AbortSignal): Promise<void>
  /** Settles a job that is given up: writes it down and calls `deadLetter`. */
  giveUp(lease: Lease<J>, why: string): Promise<void>
  /** Leases are renewed at this interval, in milliseconds. */
  renewEvery?: number
  maxTries?: number
  /** Milliseconds that a suspect is left alone: what kills its worker does so soon. */
  aloneTime?: number
  /** Milliseconds before a job that failed is handed out again, by how often it was tried. */
  retryDelay?: (tries: number) => number
  log: Log
  metrics: Metrics
}>

export type Worker = Readonly<{
  /** Takes no more jobs and resolves when those in work are settled. */
  drain(): Promise<void>
}>

/** 1 s, 2 s, 4 s … at most a minute. */
export function growingDelay(tries: number): number {
  return Math.min(1000 * 2 ** (tries - 1), 60_000)
}

export function startWorker<J extends Job>(options: WorkerOptions<J>): Worker {
  const { stage, queue, concurrency, handle, giveUp, log, metrics } = options
  const { renewEvery = 60_000, maxTries = 5, aloneTime = 5000, retryDelay = growingDelay } = options
  const stopping = new AbortController()
  const running = new Set<Promise<void>>()

  async function run(lease: Lease<J>): Promise<void> {
    const { queueId } = lease.job
    const lost = new AbortController()
    const renewal = setInterval(() => {
      queue.extend(lease).then(
        kept => {
          if (!kept) lost.abort(new Error('the lease was lost'))
        },
        error => log.warn({ queueId, stage, error: String(error) }, 'lease-not-renewed'),
      )
    }, renewEvery)
    try {
      if (lease.tries > maxTries) await giveUp(lease, `its worker died or failed ${lease.tries - 1} times`)
      else await handle(lease, lost.signal)
    } catch (error) {
      metrics.jobCrashes.inc(stage)
      const why = error instanceof Error ? error.message : String(error)
      log.error({ queueId, stage, tries: lease.tries, why, stack: (error as Error)?.stack }, 'job-failed')
      const settled =
        lease.tries < maxTries
          ? queue.retry(lease, retryDelay(lease.tries), why)
          : giveUp(lease, `its worker died or failed ${lease.tries} times, at last: ${why}`)
      // Not awaited to succeed: when the storage is gone too, the lease runs out by itself.
      await settled.catch(cause => log.error({ queueId, stage, why: String(cause) }, 'job-not-returned'))
    } finally {
      clearInterval(renewal)
    }
  }

  function start(lease: Lease<J>): Promise<void> {
    const work = run(lease).finally(() => running.delete(work))
    running.add(work)
    return work
  }

  async function startAlone(lease: Lease<J>): Promise<void> {
    const { queueId } = lease.job
    const begins = await queue.begin(lease).catch(error => {
      log.warn({ queueId, stage, error: String(error) }, 'lease-not-renewed')
      return false
    })
    if (begins) await start(lease)
  }

  async function loop(): Promise<void> {
    while (!stopping.signal.aborted) {
      if (running.size >= concurrency) {
        await Promise.race(running)
        continue
      }
      const leases = await queue.lease(concurrency - running.size, stopping.signal).catch(async error => {
        log.error({ stage, why: String(error) }, 'lease-failed')
        await pause(1000, stopping.signal)
        return []
      })
      for (const lease of leases) if (lease.tries === 1) void start(lease)
      const [suspect, ...others] = leases.filter(({ tries }) => tries > 1)
      if (suspect === undefined) continue
      await atMost(aloneTime, Promise.all([...others.map(giveBack), ...running]))
      await atMost(aloneTime, stopping.signal.aborted ? giveBack(suspect) : startAlone(suspect))
    }
    await Promise.all(running)
  }

  async function giveBack(lease: Lease<J>): Promise<void> {
    const { queueId } = lease.job
    await queue.release(lease).catch(error => log.warn({ queueId, stage, why: String(error) }, 'job-not-returned'))
  }

  const finished = loop()
  return {
    async drain() {
      stopping.abort()
      await finished
    },
  }
}

/** Waits for `work`, but no longer than that; it goes on by itself. */
async function atMost(milliseconds: number, work: Promise<unknown>): Promise<void> {
  const done = new AbortController()
  await Promise.race([work, pause(milliseconds, done.signal)])
  done.abort()
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(done, milliseconds)
    function done() {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done)
  })
}
