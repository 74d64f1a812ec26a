// The contract of the job queue port, as far as it is about what goes first.
import { describe, expect, it } from 'vitest'
import type { ScanJob } from '../../src/mail/job.ts'
import type { Priority } from '../../src/mail/priority.ts'
import type { JobQueue, Lease } from '../../src/storage/job-queue.ts'
import { type Home, homeForEach, type MakeHome, scanJob, untilTestEnds } from './home.ts'

const urgent = (id: string, priority: Priority): ScanJob => ({ ...scanJob(id), priority })

export function jobQueuePriorityContract(makeHome: MakeHome): void {
  describe('job queue, by priority', () => {
    let home: Home
    let queue: JobQueue<ScanJob>
    const reopen = homeForEach(makeHome, (opened, itsHome) => {
      queue = opened.scanJobs
      home = itsHome
    })

    it('hands out what is urgent first, also over a restart and after a delay', async () => {
      for (const id of ['low', 'normal', 'high']) await queue.enqueue(urgent(id, id as Priority))
      await reopen()
      const ids = (leases: readonly Lease<ScanJob>[]) => leases.map(({ job }) => job.id)
      const leases = await queue.lease(3, untilTestEnds)
      expect(ids(leases)).toEqual(['high', 'normal', 'low'])
      for (const lease of leases.toReversed()) await queue.retry(lease, 1000, 'again')
      await reopen()
      await home.advance(1000)
      expect(ids(await queue.lease(2, untilTestEnds))).toEqual(['high', 'normal'])
      expect((await queue.lease(1, untilTestEnds))[0]?.job.priority).toBe('low')
    })

    it.each([1, 3, 20])('lets nothing starve behind what is urgent: leases of %i', async max => {
      for (let n = 0; n < 5; n++) await queue.enqueue(urgent(`low ${n}`, 'low'))
      await home.advance(1)
      const turns: string[] = []
      for (let n = 0; turns.length < 40; n++) {
        for (let more = 0; more < max; more++) await queue.enqueue(urgent(`high ${n} ${more}`, 'high'))
        for (const lease of await queue.lease(max, untilTestEnds)) {
          turns.push(lease.job.id)
          await queue.done(lease)
        }
      }
      const low = turns.filter(id => id.startsWith('low'))
      expect(low).toEqual(['low 0', 'low 1', 'low 2', 'low 3', 'low 4'])
      // They are not served as if they were equal, either.
      expect(turns.slice(0, 12).filter(id => id.startsWith('low')).length).toBeLessThanOrEqual(5)
      expect(turns.indexOf('low 4')).toBeGreaterThanOrEqual(10)
    })
  })
}
