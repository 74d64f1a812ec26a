import { describe, expect, it } from 'vitest'
import type { ScanJob } from '../../src/mail/job.ts'
import type { JobRows } from '../../src/storage/job-rows-dynamodb.ts'
import { scanJob } from '../contract/home.ts'
import { jobQueueContract } from '../contract/job-queue.ts'
import { togetherContract } from '../contract/together.ts'
import { dynamoHome } from './dynamo-home.ts'

jobQueueContract(dynamoHome)
togetherContract(dynamoHome, { allOrNone: false })

describe('job rows', () => {
  const make = async () => {
    const home = await dynamoHome()
    return { home, rows: home.scanRows }
  }
  const leaseOf = async (rows: JobRows<ScanJob>, id: string) => {
    const answer = await rows.lease(id)
    if (answer.got !== 'lease') throw new Error(`${id} is ${answer.got}`)
    return answer.lease
  }

  it('tell whoever is woken for nothing why', async () => {
    const { home, rows } = await make()
    expect(await rows.lease('a')).toEqual({ got: 'gone' })
    expect(await rows.put(scanJob('a'))).toBe(true)
    expect(await rows.put(scanJob('a'))).toBe(false)
    const lease = await leaseOf(rows, 'a')
    expect(await rows.lease('a')).toEqual({ got: 'busy', visibleAt: home.now() + home.leaseTime })
    await rows.retry(lease, 500, 'later')
    expect(await rows.lease('a')).toEqual({ got: 'busy', visibleAt: home.now() + 500 })
    await home.advance(500)
    await rows.deadLetter(await leaseOf(rows, 'a'), 'poison')
    expect(await rows.lease('a')).toEqual({ got: 'gone' })
  })

  it('are given to one of many who are woken at once', async () => {
    const { rows } = await make()
    await rows.put(scanJob('a'))
    const answers = await Promise.all(Array.from({ length: 10 }, () => rows.lease('a')))
    expect(answers.map(({ got }) => got).toSorted()).toEqual([...Array(9).fill('busy'), 'lease'])
  })

  it('are overdue when nobody has leased them in time, and not again before the next time', async () => {
    const { home, rows } = await make()
    for (const id of ['leased', 'delayed', 'dead', 'lost', 'lost too']) {
      await rows.put(scanJob(id))
      await home.advance(1)
    }
    await leaseOf(rows, 'leased')
    await rows.retry(await leaseOf(rows, 'delayed'), 120_000, 'later')
    await rows.deadLetter(await leaseOf(rows, 'dead'), 'poison')
    const overdue = async (patience: number, max = 9) =>
      (await rows.overdue(home.now() - patience, max)).map(({ id }) => id)
    await home.advance(1000)
    expect(await overdue(2000)).toEqual([])
    expect(await overdue(1000, 1)).toEqual(['lost'])
    expect(await overdue(1000)).toEqual(['lost', 'lost too'])
    await rows.woken('lost')
    await rows.woken('nothing')
    expect(await overdue(1000)).toEqual(['lost too'])
    await home.advance(home.leaseTime + 1)
    expect(await overdue(1000)).toEqual(['leased', 'lost too', 'lost'])
    await home.advance(120_000)
    expect(await overdue(1000)).toContain('delayed')
  })
})
