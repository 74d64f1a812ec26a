// A message that goes the ordinary way is one item from its acceptance to its end; whatever else comes finds it as if it
// had never been anything but items of its own. The account balances at every step.
import { beforeEach, describe, expect, it } from 'vitest'
import type { DeliveryJob } from '../../src/mail/job.ts'
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
  states,
  story,
  told,
  VERDICT,
} from './folded-story.ts'

useDynalite()

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

  it('tells of its mark also whoever begins again under the same lease', async () => {
    await accept(spool, queueId)
    await scanned(spool, await scanning(spool, queueId))
    const lease = await delivering(spool, queueId)
    await mark(spool, lease, home.now())
    const claim = { claimant: lease.token, until: home.now() + 1_800_000 }
    const [claimed] = await spool.records.claim(queueId, [BOB], claim, home.now())
    expect(claimed).toMatchObject({ recipient: BOB, sending: { claimant: lease.token, nextHop: NEXT_HOP } })
    await spool.records.unmark(queueId, [BOB], lease.token)
    expect(await spool.records.claim(queueId, [BOB], claim, home.now())).toEqual([{ recipient: BOB }])
    await mark(spool, lease, home.now())
    await end(spool, lease)
    expect(await ledgerOf(spool)).toMatchObject({ delivered: 1, imbalance: 0 })
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

  it('given back unbegun, is leased again as if it had not been', async () => {
    await accept(spool, queueId)
    const lease = await scanning(spool, queueId)
    expect(await spool.scanRows.release(lease)).toBe(true)
    expect(await spool.scanRows.release(lease)).toBe(false)
    expect(await ledgerOf(spool)).toMatchObject({ queued: { incoming: 1, active: 0 }, imbalance: 0 })
    expect(await isFolded(home, queueId)).toBe(true)
    expect(await scanning(spool, queueId)).toMatchObject({ tries: 1 })
  })

  it('can begin its delivery leased by the one who has scanned it', async () => {
    await accept(spool, queueId)
    const scan = await scanning(spool, queueId)
    const id = `${queueId}/delivery/1`
    const job = { kind: 'delivery', id, queueId, recipients: [BOB], attempt: 1, headers: [] } as const
    const put: unknown[] = []
    await lose('UpdateItem')
    await spool.together(
      async () => put.push(await spool.deliveryRows.putLeased(job)),
      () => spool.records.note(queueId, [VERDICT], [{ recipient: BOB, state: 'queued' }]),
      () => spool.scanRows.done(scan),
    )
    expect(put).toMatchObject([{ job, tries: 1 }])
    const [lease] = put as [Lease<DeliveryJob>]
    expect(await spool.deliveryRows.lease(id)).toMatchObject({ got: 'busy' })
    expect(await ledgerOf(spool)).toMatchObject({ queued: { incoming: 0, active: 1 }, imbalance: 0 })
    await mark(spool, lease, home.now())
    await end(spool, lease)
    expect(await ledgerOf(spool)).toMatchObject({ delivered: 1, imbalance: 0 })
    expect(await itemsOf(home, queueId)).toHaveLength(1)
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
