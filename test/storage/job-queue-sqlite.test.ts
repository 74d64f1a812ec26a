import { afterEach, describe, expect, it } from 'vitest'
import { scanJob, untilTestEnds } from '../contract/home.ts'
import { jobQueueContract } from '../contract/job-queue.ts'
import { jobQueuePriorityContract } from '../contract/job-queue-priority.ts'
import { embeddedHome } from './embedded-home.ts'

jobQueueContract(embeddedHome)
jobQueuePriorityContract(embeddedHome)

describe('job queue in SQLite', () => {
  const cleanUp: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const step of cleanUp.splice(0).reverse()) await step()
  })
  const make = async (options: Parameters<typeof embeddedHome>[0] = {}) => {
    const home = await embeddedHome(options)
    cleanUp.push(home.dispose)
    return home
  }

  it('voids the leases of a process that is gone, at once, and remembers its tries', async () => {
    const home = await make()
    const before = await home.open()
    await before.scanJobs.enqueue(scanJob('leased'))
    await before.scanJobs.enqueue(scanJob('delayed'))
    await before.scanJobs.enqueue(scanJob('dead'))
    const [leased, delayed, dead] = await before.scanJobs.lease(3, untilTestEnds)
    await before.scanJobs.retry(delayed!, 1000, 'later')
    await before.scanJobs.deadLetter(dead!, 'poison')
    await before.close()

    const { scanJobs, close } = await home.open()
    cleanUp.push(close)
    expect(await scanJobs.lease(5, untilTestEnds)).toMatchObject([{ job: { id: 'leased' }, tries: 2 }])
    expect(await scanJobs.extend(leased!)).toBe(false)
    await home.advance(1000)
    expect(await scanJobs.lease(5, untilTestEnds)).toMatchObject([{ job: { id: 'delayed' }, tries: 2 }])
  })

  it('wakes a waiting worker when a lease runs out and when a delay is over', async () => {
    const home = await make({ now: Date.now, leaseTime: 40 })
    const { scanJobs, close } = await home.open()
    cleanUp.push(close)
    await scanJobs.enqueue(scanJob('a'))
    await scanJobs.lease(1, untilTestEnds)
    const [again] = await scanJobs.lease(1, untilTestEnds)
    expect(again).toMatchObject({ job: { id: 'a' }, tries: 2 })
    const waiting = scanJobs.lease(1, untilTestEnds)
    await scanJobs.retry(again!, 20, 'later')
    expect(await waiting).toMatchObject([{ tries: 3 }])
  })

  it('tells waiting workers when the spool is closed', async () => {
    const home = await make()
    const { scanJobs, records, close } = await home.open()
    const waiting = expect(scanJobs.lease(1, untilTestEnds)).rejects.toThrow('closed')
    // One round trip to the writer: the lease has found nothing and waits.
    await records.undefer('no such job')
    await close()
    await waiting
    await expect(scanJobs.lease(1, untilTestEnds)).rejects.toThrow('closed')
  })
})
