// Puts deferred jobs that are due back on their queue. A deferral is normal, not an error; a crash between the two
// writes only enqueues a job that is queued already, which changes nothing.
import type { Job } from '../mail/job.ts'
import type { Log } from '../platform/log.ts'
import type { Backends } from '../storage/backends.ts'

type SweepBackends = Pick<Backends, 'records' | 'scanJobs' | 'deliveryJobs' | 'together'>

/** Deferrals looked at in one pass; the next pass takes the rest. */
const BATCH = 5000

/** One pass: what is due at `now`, of one kind of job where it is given. Returns how many jobs went back. */
export async function sweepDeferred(
  { records, scanJobs, deliveryJobs, together }: SweepBackends,
  now: number,
  kind?: Job['kind'],
): Promise<number> {
  const due = await records.due(now, BATCH, kind)
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

/** Sweeps every `interval` milliseconds until stopped. */
export function startSweeper(backends: SweepBackends, now: () => number, interval: number, log: Log): Sweeper {
  let pass: Promise<unknown> = Promise.resolve()
  /** One after the other, so that no two of them look at the same deferrals. */
  function enqueue(sweep: () => Promise<unknown>): Promise<unknown> {
    pass = pass.then(sweep).catch(error => log.error({ why: String(error) }, 'sweep-failed'))
    return pass
  }
  const timer = setInterval(() => void enqueue(() => sweepDeferred(backends, now())), interval)
  return {
    async flushScans() {
      await enqueue(async () => {
        let jobs = 0
        for (let brought = BATCH; brought === BATCH; jobs += brought) {
          brought = await sweepDeferred(backends, Number.MAX_SAFE_INTEGER, 'scan')
        }
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
