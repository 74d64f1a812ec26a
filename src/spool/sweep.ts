// Puts deferred jobs that are due back on their queue. A deferral is normal, not an error; a crash between the two
// writes only enqueues a job that is queued already, which changes nothing.
import { HELD, type Job } from '../mail/job.ts'
import type { Log } from '../platform/log.ts'
import type { Backends } from '../storage/backends.ts'

type SweepBackends = Pick<Backends, 'records' | 'scanJobs' | 'deliveryJobs' | 'together'>

/** Deferrals looked at in one pass; the next pass takes the rest. */
const BATCH = 5000

/** One pass: what is due at `now`, of one kind of job where it is given, at most `batch`. Returns how many jobs went back. */
export async function sweepDeferred(
  { records, scanJobs, deliveryJobs, together }: SweepBackends,
  now: number,
  kind?: Job['kind'],
  batch = BATCH,
): Promise<number> {
  const due = await records.due(now, batch, kind)
  const writes = due.map(({ job }) => {
    const changes = job.recipients.map(recipient => ({ recipient, state: 'queued' as const }))
    return together(
      () => (job.kind === 'scan' ? scanJobs.enqueue(job) : deliveryJobs.enqueue(job)),
      () => records.note(job.queueId, [], changes),
      () => records.undefer(job.id),
    )
  })
  await Promise.all(writes)
  return due.length
}

export type Sweeper = Readonly<{
  /** Brings all deferred scans back at once: for the moment when a scanner has come back. */
  flushScans(): Promise<void>
  /** Runs `act` while no sweep and no other act is at work: for changes to deferrals that were read before. */
  alone<T>(act: () => Promise<T>): Promise<T>
  stop(): Promise<void>
}>

/** A clock that went back by more than this, in milliseconds, was wrong when deferrals were planned. */
const PUT_BACK = 60_000

/**
 * Sweeps every `interval` milliseconds until stopped; without one, only when asked to (others sweep). When the clock was put back everything that waits goes back to
 * its queue at once: when it would be due nobody can say, and a try too early does no harm.
 */
export function startSweeper(
  backends: SweepBackends,
  now: () => number,
  interval: number | undefined,
  log: Log,
): Sweeper {
  let pass: Promise<unknown> = Promise.resolve()
  /** One after the other, so that no two of them look at the same deferrals. */
  function enqueue(sweep: () => Promise<unknown>): Promise<unknown> {
    pass = pass.then(sweep).catch(error => log.error({ why: String(error) }, 'sweep-failed'))
    return pass
  }
  let last = now()
  function sweep(): void {
    const at = now()
    const wasPutBack = at < last - PUT_BACK
    last = at
    void enqueue(() => (wasPutBack ? sweepAll() : sweepDeferred(backends, at)))
  }
  const timer = interval === undefined ? undefined : setInterval(sweep, interval)
  /** All but what an operator holds. */
  async function sweepAll(kind?: Job['kind']): Promise<number> {
    let jobs = 0
    for (let brought = BATCH; brought === BATCH; jobs += brought) {
      brought = await sweepDeferred(backends, HELD - 1, kind)
    }
    return jobs
  }
  return {
    async flushScans() {
      await enqueue(async () => {
        const jobs = await sweepAll('scan')
        if (jobs > 0) log.info({ jobs }, 'scans-flushed')
      })
    },
    alone(act) {
      const done = pass.then(act)
      pass = done.catch(() => {})
      return done
    },
    async stop() {
      clearInterval(timer)
      await pass
    },
  }
}
