// A message that goes the ordinary way is one item from its acceptance to its end; whatever else comes finds it as if it
// had never been anything but items of its own. The account balances at every step.
import { beforeEach, describe, expect, it } from 'vitest'
import type { ScanJob } from '../../src/mail/job.ts'
import { mintQueueId } from '../../src/mail/queue-id.ts'
import type { Lease } from '../../src/storage/job-queue.ts'
import { ClaimLostError } from '../../src/storage/record-store.ts'
import type { Records } from '../../src/storage/records-dynamodb.ts'
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
  mark,
  NEXT_HOP,
  oneMessage,
  scanned,
  scanning,
  told,
  VERDICT,
} from './folded-story.ts'

useDynalite()

const story = async ({ records }: Records, queueId: string) =>
  (await records.get(queueId))!.events.map(({ event }) => event)
const states = async ({ records }: Records, queueId: string) =>
  (await records.get(queueId))!.recipients.map(({ state }) => state)

describe('a folded message', () => {
  let home: DynamoHome
  let spool: Records
  let queueId: string
  beforeEach(async () => {
    ;({ home, spool, queueId } = await oneMessage())
  })

  it('is one item from its acceptance to its end', async () => {
    await accept(spool, queueId, [BOB, ANN])
    expect(await ledgerOf(spool)).toMatchObject({ accepted: 2, queued: { incoming: 2 }, imbalance: 0 })
    const scan = await scanning(spool, queueId)
    expect(scan).toMatchObject({ tries: 1, job: { recipients: [BOB, ANN], attempt: 1 } })
    expect(await ledgerOf(spool)).toMatchObject({ queued: { incoming: 0, active: 2 }, imbalance: 0 })
    await scanned(spool, scan)
    expect(await ledgerOf(spool)).toMatchObject({ queued: { incoming: 2, active: 0 }, imbalance: 0 })
    const delivery = await delivering(spool, queueId)
    expect(delivery.job.headers).toEqual([{ name: 'X', value: 'y' }])
    await mark(spool, delivery, home.now())
    expect(await states(spool, queueId)).toEqual(['queued', 'queued'])
    await end(spool, delivery)
    expect(await itemsOf(home, queueId)).toHaveLength(1)
    expect(await story(spool, queueId)).toEqual(['accepted', 'verdict', 'delivered', 'delivered'])
    expect(await states(spool, queueId)).toEqual(['delivered', 'delivered'])
    expect(await ledgerOf(spool)).toMatchObject({ accepted: 2, delivered: 2, queued: { active: 0 }, imbalance: 0 })
    expect(await spool.deliveryRows.lease(delivery.job.id)).toEqual({ got: 'gone' })
  })

  it('takes each step once, though every answer is lost', async () => {
    await lose('PutItem')
    await accept(spool, queueId)
    await lose('UpdateItem')
    const scan = await scanning(spool, queueId)
    expect(scan.tries).toBe(1)
    await lose('UpdateItem')
    await scanned(spool, scan)
    const delivery = await delivering(spool, queueId)
    await lose('UpdateItem')
    await mark(spool, delivery, home.now())
    await lose('UpdateItem')
    await end(spool, delivery)
    expect(await story(spool, queueId)).toEqual(['accepted', 'verdict', 'delivered'])
    expect(await itemsOf(home, queueId)).toHaveLength(1)
    expect(await ledgerOf(spool)).toMatchObject({ accepted: 1, delivered: 1, imbalance: 0 })
  })

  it('says so when there is another message of that id', async () => {
    await accept(spool, queueId)
    await expect(accept(spool, queueId, [ANN])).rejects.toThrow('already')
    expect((await spool.records.get(queueId))?.recipients).toEqual([{ recipient: BOB, state: 'queued' }])
  })

  it('is worked on by one at a time: who has lost the lease may neither mark nor settle', async () => {
    await accept(spool, queueId)
    await scanned(spool, await scanning(spool, queueId))
    const other = home.make()
    const lost = await delivering(spool, queueId)
    expect(await other.deliveryRows.lease(lost.job.id)).toEqual({ got: 'busy', visibleAt: home.now() + home.leaseTime })
    await home.advance(home.leaseTime)
    const lease = await delivering(other, queueId)
    expect(lease.tries).toBe(2)
    await expect(mark(spool, lost, home.now())).rejects.toThrow()
    await mark(other, lease, home.now())
    await expect(
      spool.records.sending(queueId, [BOB], { claimant: lost.token, attempt: 1, at: home.now(), nextHop: NEXT_HOP }),
    ).rejects.toThrow(ClaimLostError)
    expect(await spool.deliveryRows.extend(lost)).toBe(false)
    await end(other, lease)
    await end(spool, lost, 'failed')
    expect(await states(spool, queueId)).toEqual(['delivered'])
    expect(await ledgerOf(spool)).toMatchObject({ delivered: 1, failed: 0, imbalance: 0 })
  })

  it('refuses the mark of a worker whose lease was taken over after its claim', async () => {
    await accept(spool, queueId)
    await scanned(spool, await scanning(spool, queueId))
    const lost = await delivering(spool, queueId)
    const claim = { claimant: lost.token, until: home.now() + 1_800_000 }
    expect(await spool.records.claim(queueId, [BOB], claim, home.now())).toEqual([{ recipient: BOB }])
    await home.advance(home.leaseTime)
    const other = home.make()
    await mark(other, await delivering(other, queueId), home.now())
    await expect(
      spool.records.sending(queueId, [BOB], { claimant: lost.token, attempt: 1, at: home.now(), nextHop: NEXT_HOP }),
    ).rejects.toThrow(ClaimLostError)
  })

  it('keeps a marked claim for its time, whatever becomes of the lease, and then tells of the mark', async () => {
    await accept(spool, queueId)
    await scanned(spool, await scanning(spool, queueId))
    const first = await delivering(spool, queueId)
    await mark(spool, first, home.now())
    await home.advance(home.leaseTime)
    const other = home.make()
    const lease = await delivering(other, queueId)
    const claim = () => {
      const until = home.now() + 1_800_000
      return other.records.claim(queueId, [BOB], { claimant: lease.token, until }, home.now())
    }
    expect(await claim()).toEqual([])
    await home.advance(1_800_000)
    const again = await other.deliveryRows.lease(lease.job.id)
    expect(again).toMatchObject({ got: 'lease', lease: { tries: 3 } })
    expect(await claim()).toMatchObject([{ recipient: BOB, sending: { claimant: first.token, nextHop: NEXT_HOP } }])
  })

  it.each<[string, (lease: Lease<ScanJob>) => Promise<unknown>, object]>([
    [
      'quarantined',
      lease =>
        spool.together(
          () => spool.records.note(queueId, [VERDICT], [{ recipient: BOB, state: 'quarantined' }]),
          () => spool.scanRows.done(lease),
        ),
      { quarantined: 1 },
    ],
    [
      'deferred',
      lease =>
        spool.together(
          () => spool.records.defer({ job: { ...lease.job, id: `${queueId}/scan/2`, attempt: 2 }, dueAt: 1 }),
          () => spool.records.note(queueId, [VERDICT], [{ recipient: BOB, state: 'deferred' }]),
          () => spool.scanRows.done(lease),
        ),
      { queued: { incoming: 0, active: 0, deferred: 1, deadLetters: 0 } },
    ],
    [
      'a dead letter',
      lease =>
        spool.together(
          () => spool.records.note(queueId, [VERDICT], []),
          () => spool.scanRows.deadLetter(lease, 'poison'),
        ),
      { queued: { incoming: 0, active: 0, deferred: 0, deadLetters: 1 } },
    ],
    ['given back', lease => spool.scanRows.release(lease), { queued: { incoming: 1, active: 0 } }],
    ['tried again', lease => spool.scanRows.retry(lease, 0, 'why'), { queued: { incoming: 1, active: 0 } }],
  ])('is unfolded when it is %s', async (_, change, wanted) => {
    await accept(spool, queueId)
    const lease = await scanning(spool, queueId)
    await change(lease)
    expect(await isFolded(home, queueId)).toBe(false)
    expect(await ledgerOf(spool)).toMatchObject({ accepted: 1, imbalance: 0, ...wanted })
    expect(await spool.scanRows.extend(lease)).toBe(false)
  })

  it('unfolded while it is scanned, goes on by its items', async () => {
    await accept(spool, queueId)
    const scan = await scanning(spool, queueId)
    expect(await home.make().scanRows.leaseOf(queueId)).toEqual([])
    expect(await isFolded(home, queueId)).toBe(false)
    expect(await spool.scanRows.extend(scan)).toBe(true)
    await scanned(spool, scan)
    const delivery = await delivering(spool, queueId)
    await mark(spool, delivery, home.now())
    await end(spool, delivery)
    expect(await story(spool, queueId)).toEqual(['accepted', 'verdict', 'delivered'])
    expect(await ledgerOf(spool)).toMatchObject({ accepted: 1, delivered: 1, imbalance: 0 })
  })

  it.each(['before', 'after'])('unfolded %s its final dot is marked, ends with its claim', async when => {
    await accept(spool, queueId, [BOB, ANN])
    await scanned(spool, await scanning(spool, queueId))
    const lease = await delivering(spool, queueId)
    const unfold = () => home.make().scanRows.leaseOf(queueId)
    const at = home.now()
    await spool.records.claim(queueId, [BOB, ANN], { claimant: lease.token, until: at + 1_800_000 }, at)
    if (when === 'before') await unfold()
    await spool.records.sending(queueId, [BOB, ANN], { claimant: lease.token, attempt: 1, at, nextHop: NEXT_HOP })
    if (when === 'after') await unfold()
    const other = { claimant: 'other', until: at + 9_000_000 }
    expect(await spool.records.claim(queueId, [BOB, ANN], other, at + 1_700_000)).toEqual([])
    await end(spool, lease)
    expect(await states(spool, queueId)).toEqual(['delivered', 'delivered'])
    expect(await ledgerOf(spool)).toMatchObject({ accepted: 2, delivered: 2, imbalance: 0 })
  })

  it('is unfolded where recipients part', async () => {
    await accept(spool, queueId, [BOB, ANN])
    await scanned(spool, await scanning(spool, queueId))
    const lease = await delivering(spool, queueId)
    await mark(spool, lease, home.now(), [BOB])
    expect(await isFolded(home, queueId)).toBe(false)
    await spool.together(
      () => spool.records.note(queueId, [], [{ recipient: BOB, state: 'delivered' }]),
      () => spool.deliveryRows.narrow(lease, [ANN]),
    )
    expect(await ledgerOf(spool)).toMatchObject({ delivered: 1, queued: { active: 1 }, imbalance: 0 })
    await end(spool, { ...lease, job: { ...lease.job, recipients: [ANN] } }, 'failed')
    expect(await ledgerOf(spool)).toMatchObject({ delivered: 1, failed: 1, queued: { active: 0 }, imbalance: 0 })
  })

  it('ends for each recipient in its own way', async () => {
    await accept(spool, queueId, [BOB, ANN])
    const lease = await scanning(spool, queueId)
    await spool.together(
      () => spool.records.note(queueId, [], [{ recipient: BOB, state: 'discarded' }]),
      () => spool.records.note(queueId, [VERDICT], [{ recipient: ANN, state: 'failed' }]),
      () => spool.scanRows.done(lease),
    )
    expect(await isFolded(home, queueId)).toBe(true)
    expect(await states(spool, queueId)).toEqual(['discarded', 'failed'])
    expect(await ledgerOf(spool)).toMatchObject({ accepted: 2, discarded: 1, failed: 1, imbalance: 0 })
  })

  it('never leaves its end, and keeps what is said about it', async () => {
    await accept(spool, queueId)
    await scanned(spool, await scanning(spool, queueId))
    await end(spool, await delivering(spool, queueId))
    await spool.records.note(queueId, [told({ event: 'held' })], [{ recipient: BOB, state: 'held' }])
    await spool.records.note(queueId, [told({ event: 'reported' })], [])
    expect(await states(spool, queueId)).toEqual(['delivered'])
    expect(await story(spool, queueId)).toEqual(['accepted', 'verdict', 'delivered', 'held', 'reported'])
    expect(await ledgerOf(spool)).toMatchObject({ accepted: 1, delivered: 1, imbalance: 0 })
  })

  it('has its events in order, also those for which its item has no room', async () => {
    await accept(spool, queueId)
    await spool.records.note(queueId, [told({ event: 'operator' })], [])
    const findings = Array.from({ length: 200 }, (_, n) => ({ symbol: `${Math.sin(n)}` }))
    await scanned(spool, await scanning(spool, queueId), [told({ event: 'scanned', findings }), VERDICT])
    await spool.records.note(queueId, [told({ event: 'held' })], [])
    await end(spool, await delivering(spool, queueId))
    expect(await isFolded(home, queueId)).toBe(true)
    expect(await story(spool, queueId)).toEqual(['accepted', 'operator', 'scanned', 'verdict', 'held', 'delivered'])
    expect((await spool.records.get(queueId))!.events[2]).toMatchObject({ findings })
  })

  it('is none where it has very many recipients, or took long from its id to its acceptance', async () => {
    await accept(
      spool,
      queueId,
      Array.from({ length: 21 }, (_, n) => `r${n}@example.com`),
    )
    expect(await isFolded(home, queueId)).toBe(false)
    await home.advance(60_001)
    const [old, young] = [mintQueueId(home.now() - 60_001), mintQueueId(home.now())]
    for (const id of [old, young]) await accept(spool, id, [BOB])
    queueId = old
    expect(await isFolded(home, queueId)).toBe(false)
    queueId = young
    expect(await isFolded(home, queueId)).toBe(true)
    expect(await ledgerOf(spool)).toMatchObject({ accepted: 23, queued: { incoming: 23 }, imbalance: 0 })
  })
})
