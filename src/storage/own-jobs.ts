// Jobs that a process puts and does itself: leased in the write that puts them, and handed over here, without a wake-up.
// Those that nobody takes in time are given back when it stops. Should it die, they are free when their leases are over,
// and whoever looks for jobs that nobody was woken for finds them.
import type { Job } from '../mail/job.ts'
import type { Lease } from './job-queue.ts'
import type { JobRows } from './job-rows-dynamodb.ts'

export type OwnJobs<J extends Job> = Readonly<{
  /** Puts a job. False: it was not kept here, and somebody is to be woken for it. */
  put(job: J): Promise<boolean>
  /** Aborted as soon as there is one. */
  news(): AbortSignal
  waiting(): number
  /** Up to `max`, whose leases hold. */
  take(max: number): Promise<Lease<J>[]>
  /** Gives all back, calls `wake` for each, and keeps none from now on. */
  close(wake: (job: J) => Promise<void>): Promise<void>
}>

/** What is more goes to whoever has time. */
const MOST = 20
/** Part of the lease's time after which it is made sure that it still holds. */
const STALE = 0.25

export function createOwnJobs<J extends Job>({
  rows,
  now,
  leaseTime,
}: Readonly<{ rows: JobRows<J>; now: () => number; leaseTime: number }>): OwnJobs<J> {
  const here: { lease: Lease<J>; since: number }[] = []
  let coming = 0
  let closed = false
  let news = new AbortController()

  async function stillOurs({ lease, since }: (typeof here)[number]): Promise<boolean> {
    return now() - since < STALE * leaseTime || rows.extend(lease)
  }

  return {
    async put(job) {
      if (closed || here.length + coming >= MOST) {
        await rows.put(job)
        return false
      }
      coming++
      const lease = await rows.putLeased(job).finally(() => coming--)
      if (typeof lease === 'boolean') return false
      here.push({ lease, since: now() })
      news.abort()
      news = new AbortController()
      return true
    },

    news: () => (here.length > 0 ? AbortSignal.abort() : news.signal),
    waiting: () => here.length,

    async take(max) {
      const taken = here.splice(0, max)
      const ours = await Promise.all(taken.map(stillOurs))
      return taken.filter((_, n) => ours[n]).map(({ lease }) => lease)
    },

    async close(wake) {
      closed = true
      for (const { lease } of here.splice(0)) if (await rows.release(lease)) await wake(lease.job)
    },
  }
}
