// Folded messages in the ledger: counted once, at every moment, whoever settles the account and whatever is lost.
import { beforeEach, describe, expect, it } from 'vitest'
import { mintQueueId } from '../../src/mail/queue-id.ts'
import { messageAge } from '../../src/storage/record-keys-dynamodb.ts'
import type { Records } from '../../src/storage/records-dynamodb.ts'
import { CURSOR_LAG } from '../../src/storage/young-messages-dynamodb.ts'
import { useDynalite } from '../contract/dynamo-tables.ts'
import type { DynamoHome } from './dynamo-home.ts'
import {
  ANN,
  accept,
  BOB,
  delivering,
  end,
  isFolded,
  itemsOf,
  ledgerOf,
  lose,
  oneMessage,
  scanned,
  scanning,
} from './folded-story.ts'

useDynalite()

describe('a folded message in the account', () => {
  let home: DynamoHome
  let spool: Records
  let queueId: string
  beforeEach(async () => {
    ;({ home, spool, queueId } = await oneMessage())
  })

  /** One that has ended, one that is worked on, one that waits. */
  async function three(): Promise<string[]> {
    const ids = [queueId, mintQueueId(home.now()), mintQueueId(home.now())]
    for (const id of ids) await accept(spool, id, [BOB])
    queueId = ids[1]!
    await scanning(spool, queueId)
    queueId = ids[0]!
    await scanned(spool, await scanning(spool, queueId))
    await end(spool, await delivering(spool, queueId))
    return ids
  }
  const wanted = { accepted: 3, delivered: 1, imbalance: 0 }

  it('is counted once, by however many it is settled at the same time', async () => {
    await three()
    expect(await ledgerOf(spool)).toMatchObject({ ...wanted, queued: { incoming: 1, active: 1 } })
    await spool.settle()
    expect(await ledgerOf(spool)).toMatchObject({ ...wanted, queued: { incoming: 1, active: 1 } })
    await home.advance(CURSOR_LAG + 1)
    await Promise.all([spool.settle(), home.make().settle(), home.make().settle()])
    await spool.settle()
    expect(await ledgerOf(spool)).toMatchObject({ ...wanted, queued: { incoming: 2 } })
    spool = home.make()
    expect(await ledgerOf(spool)).toMatchObject({ ...wanted, queued: { incoming: 2 } })
  })

  it('is counted once, though the answer to the settling was lost', async () => {
    await three()
    await home.advance(CURSOR_LAG + 1)
    await lose('UpdateItem', 3)
    await spool.settle()
    await spool.settle()
    expect(await ledgerOf(spool)).toMatchObject({ ...wanted, queued: { incoming: 2 } })
  })

  it('is unfolded when it is still open some minutes later, and goes on', async () => {
    const [, , waiting] = await three()
    await home.advance(CURSOR_LAG + 1)
    await spool.settle()
    queueId = waiting!
    expect(await isFolded(home, queueId)).toBe(false)
    await scanned(spool, await scanning(spool, queueId))
    await end(spool, await delivering(spool, queueId))
    expect(await ledgerOf(spool)).toMatchObject({ ...wanted, delivered: 2, queued: { incoming: 1 } })
  })

  it('is found by who looks for jobs that nobody was woken for', async () => {
    const [, , waiting] = await three()
    await home.advance(1000)
    const overdue = await spool.scanRows.overdue(home.now() - 500, 9)
    expect(overdue.map(job => job.queueId)).toEqual([waiting])
    expect(await ledgerOf(spool)).toMatchObject({ ...wanted, queued: { incoming: 1, active: 1 } })
  })

  it('is on neither side when it gets here behind the cursor, until the sweep of orphans looks at it', async () => {
    await home.advance(1)
    const { ageKey } = messageAge(queueId)
    let later = mintQueueId(home.now())
    while (messageAge(later).ageKey !== ageKey) later = mintQueueId(home.now())
    // Their writers were asleep for minutes, the first for longer than the pass of the cursor.
    const asleep = home.make({ now: () => 1_700_000_000_000 })
    await accept(asleep, later)
    await home.advance(CURSOR_LAG + 1)
    await spool.settle()
    await accept(asleep, queueId, [ANN])
    expect(await ledgerOf(spool)).toMatchObject({ accepted: 1, queued: { incoming: 1 }, imbalance: 0 })
    expect(await spool.hasJobs(queueId)).toBe(true)
    expect(await ledgerOf(spool)).toMatchObject({ accepted: 2, queued: { incoming: 2 }, imbalance: 0 })
  })

  it('keeps what was counted when it is forgotten', async () => {
    await accept(spool, queueId)
    await scanned(spool, await scanning(spool, queueId))
    await end(spool, await delivering(spool, queueId))
    await home.advance(CURSOR_LAG + 1)
    await spool.settle()
    await home.advance(1)
    expect(await spool.records.forget(home.now(), { limit: 9 })).toEqual({ forgotten: 1 })
    expect(await itemsOf(home, queueId)).toEqual([])
    expect(await ledgerOf(spool)).toMatchObject({ accepted: 1, delivered: 1, imbalance: 0 })
  })
})
