// The contract of the job queue port: what every adapter must do, on top of nothing but the port.
import { describe, expect, it } from 'vitest'
import type { ScanJob } from '../../src/mail/job.ts'
import type { Backends } from '../../src/storage/backends.ts'
import type { JobQueue } from '../../src/storage/job-queue.ts'
import { deliveryJob, type Home, homeForEach, type MakeHome, scanJob, untilTestEnds } from './home.ts'

const empty = { jobs: 0, recipients: 0 }

export function jobQueueContract(makeHome: MakeHome): void {
  describe('job queue', () => {
    let home: Home
    let backends: Backends
    let queue: JobQueue<ScanJob>
    const reopen = homeForEach(makeHome, (opened, itsHome) => {
      backends = opened
      queue = opened.scanJobs
      home = itsHome
    })
    const leaseOne = async () => (await queue.lease(1, untilTestEnds))[0]!
    /** Proves that nothing else is there to be had: a job enqueued now comes alone. */
    const expectNothingElse = async () => {
      await queue.enqueue(scanJob('probe'))
      const leases = await queue.lease(10, untilTestEnds)
      expect(leases.map(lease => lease.job.id)).toEqual(['probe'])
      await queue.done(leases[0]!)
    }

    it('hands out what was enqueued, oldest first, word for word', async () => {
      const jobs = [scanJob('a'), scanJob('b', ['ü@example.com', 'x@example.com']), scanJob('c')]
      const at = home.now()
      for (const job of jobs) await queue.enqueue(job)
      const first = await queue.lease(2, untilTestEnds)
      const second = await queue.lease(2, untilTestEnds)
      expect([...first, ...second].map(lease => lease.job)).toEqual(jobs)
      expect(first[0]).toMatchObject({ tries: 1, enqueuedAt: at })
    })

    it('keeps jobs over a restart', async () => {
      await queue.enqueue(scanJob('a'))
      await queue.enqueue(scanJob('b'))
      await reopen()
      expect((await queue.lease(5, untilTestEnds)).map(lease => lease.job.id)).toEqual(['a', 'b'])
    })

    it('takes a job id once while it is queued or leased, and again when it is done', async () => {
      await queue.enqueue(scanJob('a', ['first@example.com']))
      await queue.enqueue(scanJob('a', ['second@example.com']))
      const lease = await leaseOne()
      expect(lease.job.recipients).toEqual(['first@example.com'])
      await queue.enqueue(scanJob('a'))
      await expectNothingElse()
      await queue.done(lease)
      await queue.enqueue(scanJob('a'))
      expect((await leaseOne()).job.id).toBe('a')
    })

    it('lets a worker wait for a job', async () => {
      const waiting = queue.lease(1, untilTestEnds)
      await queue.enqueue(scanJob('a'))
      expect((await waiting).map(lease => lease.job.id)).toEqual(['a'])
    })

    it('gives each job to one of several waiting workers', async () => {
      const waiting = ['1', '2', '3'].map(() => queue.lease(1, untilTestEnds))
      await Promise.all([queue.enqueue(scanJob('a')), queue.enqueue(scanJob('b')), queue.enqueue(scanJob('c'))])
      const leases = (await Promise.all(waiting)).flat()
      expect(leases.map(lease => lease.job.id).sort()).toEqual(['a', 'b', 'c'])
    })

    it('ends the waiting when asked to, and not a moment for others', async () => {
      const stop = new AbortController()
      const stopped = queue.lease(1, stop.signal)
      const waiting = queue.lease(1, untilTestEnds)
      stop.abort()
      expect(await stopped).toEqual([])
      expect(await queue.lease(1, stop.signal)).toEqual([])
      await queue.enqueue(scanJob('a'))
      expect((await waiting).map(lease => lease.job.id)).toEqual(['a'])
    })

    it('loses no job to a worker that stops just as it comes', async () => {
      const stop = new AbortController()
      const stopping = queue.lease(1, stop.signal)
      const waiting = queue.lease(1, untilTestEnds)
      waiting.catch(() => {})
      // A round trip, so that both have found nothing and wait.
      await backends.deliveryJobs.enqueue(deliveryJob('another'))
      await queue.enqueue(scanJob('a'))
      stop.abort()
      const lease = (await stopping)[0] ?? (await waiting)[0]
      expect(lease?.job.id).toBe('a')
    })

    it('hands a job out again when its lease is over; the lost lease changes nothing', async () => {
      await queue.enqueue(scanJob('a'))
      const lost = await leaseOne()
      await home.advance(home.leaseTime + 1)
      const lease = await leaseOne()
      expect(lease.job).toEqual(lost.job)
      expect(lease.tries).toBe(2)
      expect(lease.enqueuedAt).toBe(lost.enqueuedAt)
      expect(lease.token).not.toBe(lost.token)

      expect(await queue.extend(lost)).toBe(false)
      await queue.done(lost)
      await queue.retry(lost, 0, 'late')
      await queue.narrow(lost, [])
      await queue.release(lost)
      await queue.deadLetter(lost, 'late')
      expect(await queue.tally()).toMatchObject({ incoming: empty, active: { jobs: 1, recipients: 1 }, dead: empty })
      expect(await queue.extend(lease)).toBe(true)
    })

    it('leaves a job alone whose lease is extended', async () => {
      await queue.enqueue(scanJob('a'))
      const lease = await leaseOne()
      await home.advance(home.leaseTime - 1)
      expect(await queue.extend(lease)).toBe(true)
      await home.advance(home.leaseTime - 1)
      await expectNothingElse()
      expect(await queue.extend(lease)).toBe(true)
    })

    it('forgets a job that is done', async () => {
      await queue.enqueue(scanJob('a'))
      const lease = await leaseOne()
      await queue.done(lease)
      await queue.done(lease)
      expect(await queue.extend(lease)).toBe(false)
      await home.advance(home.leaseTime + 1)
      await reopen()
      await expectNothingElse()
      expect(await queue.tally()).toEqual({ incoming: empty, active: empty, dead: empty })
    })

    it('hands a job out again after a retry’s delay, not before', async () => {
      await queue.enqueue(scanJob('a'))
      await queue.retry(await leaseOne(), 30_000, 'scanner away')
      expect(await queue.tally()).toMatchObject({ incoming: { jobs: 1 }, active: empty })
      await home.advance(29_999)
      await expectNothingElse()
      await home.advance(1)
      expect(await leaseOne()).toMatchObject({ job: { id: 'a' }, tries: 2 })
    })

    it('takes a job back unbegun: first in line, and not counted as a try', async () => {
      for (const id of ['a', 'b', 'c']) await queue.enqueue(scanJob(id))
      const [first, second] = await queue.lease(2, untilTestEnds)
      await queue.release(first!)
      await queue.release(second!)
      expect(await queue.extend(first!)).toBe(false)
      const leases = await queue.lease(5, untilTestEnds)
      expect(leases.map(({ job, tries }) => [job.id, tries])).toEqual([
        ['a', 1],
        ['b', 1],
        ['c', 1],
      ])
      await queue.release(first!)
      expect(await queue.extend(leases[0]!)).toBe(true)
    })

    it('forgets the recipients of a job that have their end, over restarts', async () => {
      await queue.enqueue(scanJob('a', ['x@example.com', 'y@example.com', 'z@example.com']))
      const lease = await leaseOne()
      await queue.narrow(lease, ['z@example.com', 'y@example.com'])
      expect((await queue.tally()).active).toEqual({ jobs: 1, recipients: 2 })
      expect(await queue.extend(lease)).toBe(true)
      await home.advance(home.leaseTime + 1)
      const again = await leaseOne()
      expect(again).toMatchObject({ tries: 2, job: { ...lease.job, recipients: ['z@example.com', 'y@example.com'] } })
      await queue.narrow(lease, [])
      await queue.retry(again, 0, 'again')
      await reopen()
      expect((await leaseOne()).job.recipients).toEqual(['z@example.com', 'y@example.com'])
    })

    it('wakes a waiting worker for a job that is given back at once', async () => {
      await queue.enqueue(scanJob('a'))
      const lease = await leaseOne()
      const waiting = queue.lease(1, untilTestEnds)
      await queue.retry(lease, 0, 'again')
      expect(await waiting).toMatchObject([{ job: { id: 'a' }, tries: 2 }])
    })

    it('keeps dead letters, and hands them to nobody', async () => {
      await queue.enqueue(scanJob('a', ['x@example.com', 'y@example.com']))
      const lease = await leaseOne()
      await queue.deadLetter(lease, 'crashed three workers')
      expect(await queue.extend(lease)).toBe(false)
      await home.advance(home.leaseTime + 1)
      await reopen()
      await expectNothingElse()
      expect(await queue.tally()).toEqual({ incoming: empty, active: empty, dead: { jobs: 1, recipients: 2 } })
    })

    it('lets an operator have the jobs of one message that nobody works on, dead letters among them', async () => {
      const mine = { ...scanJob('x'), queueId: 'Q1' }
      for (const id of ['Q1/scan/1', 'Q1/scan/1/apart', 'Q1/scan/2', 'Q10/scan/1', 'Q2/scan/1']) {
        await queue.enqueue({ ...mine, id, queueId: id.split('/')[0]! })
      }
      const [worked, dead] = await queue.lease(2, untilTestEnds)
      await queue.deadLetter(dead!, 'poison')
      const leases = await queue.leaseOf('Q1')
      expect(leases.map(({ job }) => job.id).toSorted()).toEqual(['Q1/scan/1/apart', 'Q1/scan/2'])
      expect(await queue.leaseOf('Q1')).toEqual([])
      expect(await queue.leaseOf('Q3')).toEqual([])

      // He settles them as a worker does; what he drops is handed out again.
      const [first, second] = leases
      await queue.done(first!)
      await queue.release(second!)
      expect((await queue.leaseOf('Q1')).map(({ job }) => job.id)).toEqual([second!.job.id])
      await home.advance(home.leaseTime + 1)
      expect((await queue.lease(9, untilTestEnds)).map(({ job }) => job.id)).toContain(second!.job.id)
      expect(await queue.extend(worked!)).toBe(false)
    })

    it('lists dead letters, and puts them back as if they were new', async () => {
      const at = home.now()
      for (const id of ['a', 'b']) await queue.enqueue(scanJob(id))
      for (const lease of await queue.lease(2, untilTestEnds)) await queue.deadLetter(lease, `poison ${lease.job.id}`)
      expect(await queue.dead(1)).toMatchObject([{ job: { id: 'a' }, reason: 'poison a', enqueuedAt: at }])
      expect((await queue.dead(5)).map(({ job }) => job.id)).toEqual(['a', 'b'])
      await reopen()
      const waiting = queue.lease(1, untilTestEnds)
      expect(await queue.redrive('b')).toBe(true)
      expect(await waiting).toMatchObject([{ job: { id: 'b' }, tries: 1 }])
      expect(await queue.redrive('b')).toBe(false)
      expect(await queue.redrive('nothing')).toBe(false)
      expect((await queue.dead(5)).map(({ job }) => job.id)).toEqual(['a'])
      expect(await queue.tally()).toMatchObject({ active: { jobs: 1 }, dead: { jobs: 1 } })
    })

    it('counts jobs and recipients by where they stand', async () => {
      expect(await queue.tally()).toEqual({ incoming: empty, active: empty, dead: empty })
      const oldestEnqueuedAt = home.now()
      await queue.enqueue(scanJob('a', ['x@example.com', 'y@example.com', 'z@example.com']))
      await home.advance(1000)
      await queue.enqueue(scanJob('b', ['x@example.com', 'y@example.com']))
      await queue.enqueue(scanJob('c'))
      await leaseOne()
      expect(await queue.tally()).toEqual({
        incoming: { jobs: 2, recipients: 3 },
        active: { jobs: 1, recipients: 3 },
        dead: empty,
        oldestEnqueuedAt,
      })
      await home.advance(home.leaseTime + 1)
      expect(await queue.tally()).toMatchObject({ incoming: { jobs: 3, recipients: 6 }, active: empty })
    })

    it('keeps the two queues apart', async () => {
      const job = deliveryJob('same id')
      await queue.enqueue(scanJob('same id'))
      await backends.deliveryJobs.enqueue(job)
      const [lease] = await backends.deliveryJobs.lease(5, untilTestEnds)
      expect(lease?.job).toEqual(job)
      await backends.deliveryJobs.done(lease!)
      expect((await leaseOne()).job.kind).toBe('scan')
    })
  })
}
