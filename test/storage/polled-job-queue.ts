// A job queue on nothing but the rows in DynamoDB, for the tests of these rows: who waits is woken by what this process
// does, and looks again then. A deployment is woken by SQS.
import { setTimeout as wait } from 'node:timers/promises'
import type { Job } from '../../src/mail/job.ts'
import type { JobQueue, Lease } from '../../src/storage/job-queue.ts'
import type { JobRows } from '../../src/storage/job-rows-dynamodb.ts'

export function pollJobs<J extends Job>(rows: JobRows<J>, now: () => number): JobQueue<J> {
  const waiting = new Set<() => void>()
  const wake = () => {
    for (const look of waiting) look()
    waiting.clear()
  }

  async function leaseSome(max: number): Promise<Lease<J>[]> {
    for (;;) {
      const leases: Lease<J>[] = []
      const jobs = await rows.overdue(now() + 1, max)
      for (const job of jobs) {
        const answer = await rows.lease(job.id)
        if (answer.got === 'lease') leases.push(answer.lease)
      }
      // Where another was quicker with all of them, there may be more.
      if (leases.length > 0 || jobs.length === 0) return leases
    }
  }

  return {
    async enqueue(job) {
      await rows.put(job)
      wake()
    },
    async lease(max, signal) {
      while (!signal.aborted) {
        const { promise, resolve } = Promise.withResolvers<void>()
        waiting.add(resolve)
        signal.addEventListener('abort', () => resolve(), { once: true })
        const leases = await leaseSome(max)
        if (leases.length > 0) {
          waiting.delete(resolve)
          return leases
        }
        await promise
        await wait(0)
      }
      wake()
      return []
    },
    begin: rows.extend,
    extend: rows.extend,
    async done(lease) {
      await rows.done(lease)
    },
    async retry(lease, delay, reason) {
      await rows.retry(lease, delay, reason)
      wake()
    },
    async narrow(lease, recipients) {
      await rows.narrow(lease, recipients)
    },
    async release(lease) {
      await rows.release(lease)
      wake()
    },
    async deadLetter(lease, reason) {
      await rows.deadLetter(lease, reason)
    },
    leaseOf: rows.leaseOf,
    dead: rows.dead,
    async redrive(jobId) {
      const job = await rows.redrive(jobId)
      wake()
      return job !== undefined
    },
    tally: rows.tally,
  }
}
