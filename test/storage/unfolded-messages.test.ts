// A folded message whose way stops being the ordinary one gets items of its own, and nobody notices but the one who pays.
import { beforeEach, describe, expect, it } from 'vitest'
import type { ScanJob } from '../../src/mail/job.ts'
import { mintQueueId } from '../../src/mail/queue-id.ts'
import type { Lease } from '../../src/storage/job-queue.ts'
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
  ledgerOf,
  mark,
  NEXT_HOP,
  oneMessage,
  scanned,
  scanning,
  states,
  story,
  VERDICT,
} from './folded-story.ts'

useDynalite()

describe('a message that is unfolded', () => {
  let home: DynamoHome
  let spool: Records
  let queueId: string
  beforeEach(async () => {
    ;({ home, spool, queueId } = await oneMessage())
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

  it('keeps a lease that is taken, and an end that comes, just while it is unfolded', async () => {
    const other = home.make()
    const ids = Array.from({ length: 8 }, () => mintQueueId(home.now()))
    await Promise.all(ids.map(id => accept(spool, id)))
    const leases = await Promise.all(
      ids.map(async id => (await Promise.all([scanning(spool, id).catch(() => undefined), other.hasJobs(id)]))[0]),
    )
    for (const lease of leases) expect(lease === undefined || (await spool.scanRows.extend(lease))).toBe(true)
    const ending = async (id: string) => {
      await accept(spool, id)
      const { job, ...lease } = await scanning(spool, id)
      await Promise.all([
        spool.together(
          () => spool.records.note(id, [VERDICT], [{ recipient: BOB, state: 'discarded' }]),
          () => spool.scanRows.done({ job, ...lease }),
        ),
        other.hasJobs(id),
      ])
    }
    await Promise.all(ids.map(() => ending(mintQueueId(home.now()))))
    expect(await ledgerOf(spool)).toMatchObject({ accepted: 16, discarded: 8, imbalance: 0 })
  })
})
