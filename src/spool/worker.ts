// The one worker loop: lease, run, settle; drain on demand. What a job means is the handler's business, what becomes of
// one that fails is in job-run.ts; one whose worker died is handed out again by the queue. A job that was tried before is
// suspected of killing its worker and begins alone; until then this is no try, and other suspects are given back. So the
// innocent ones around it do not share its fate. One that still lives after a while is only slow: the others go on beside
// it, or a next hop that hangs would hold up everybody's mail.
import type { Job } from '../mail/job.ts'
import type { JobQueue, Lease } from '../storage/job-queue.ts'
import { createJobRun, type JobRunOptions } from './job-run.ts'

export type WorkerOptions<J extends Job> = Omit<JobRunOptions<J>, 'queue'> &
  Readonly<{
    queue: JobQueue<J>
    /** Jobs in work at the same time. */
    concurrency: number
    /** Milliseconds that a suspect is left alone: what kills its worker does so soon. */
    aloneTime?: number
  }>

export type Worker = Readonly<{
  /**
   * Takes no more jobs and resolves when those in work are settled. What is not so after `patience` milliseconds (for
   * ever, unless given) is called off and given back.
   */
  drain(patience?: number): Promise<void>
}>

export function startWorker<J extends Job>(options: WorkerOptions<J>): Worker {
  const { stage, queue, concurrency, aloneTime = 5000, log } = options
  const { run, giveBack } = createJobRun(options)
  const stopping = new AbortController()
  const ending = new AbortController()
  const running = new Set<Promise<void>>()

  function start(lease: Lease<J>): Promise<void> {
    const work = run(lease, ending.signal).finally(() => running.delete(work))
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

  const finished = loop()
  return {
    async drain(patience) {
      stopping.abort()
      const timer = patience === undefined ? undefined : setTimeout(() => ending.abort(), patience)
      await finished.finally(() => clearTimeout(timer))
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
