// DynamoDB on a bad day: answers that are lost although the write was done, transactions that meet, too much at once.
import { beforeEach, describe, expect, it } from 'vitest'
import { mintQueueId } from '../../src/mail/queue-id.ts'
import { RECIPIENT_STATES, type RecipientState } from '../../src/mail/record.ts'
import { createDynamoPolicyStore } from '../../src/storage/policy-store-dynamodb.ts'
import type { RecordStore } from '../../src/storage/record-store.ts'
import type { Fault } from '../contract/dynalite.ts'
import { freshTable, ownDynalite, useDynalite } from '../contract/dynamo-tables.ts'
import { acceptedEvent, acceptedMessage, deliveryJob, scanJob } from '../contract/home.ts'
import { type DynamoHome, dynamoHome } from './dynamo-home.ts'

useDynalite()

const RECIPIENT = 'user@example.com'

describe('DynamoDB', () => {
  let home: DynamoHome
  let records: RecordStore
  beforeEach(async () => {
    const { faults } = await ownDynalite()
    faults.length = 0
    home = await dynamoHome()
    records = (await home.open()).records
  })
  const fault = async (operation: string, what: Fault['what'], times = 1) => {
    const { faults } = await ownDynalite()
    faults.push({ operation, what, times })
  }
  const create = async (recipients = [RECIPIENT]) => {
    const message = acceptedMessage({ queueId: mintQueueId(home.now()), recipients })
    await records.create(message, acceptedEvent())
    return message.queueId
  }
  const counted = async (wanted: Partial<Record<RecipientState, number>>) => {
    const { accepted, states } = await records.tally()
    const all = Object.fromEntries(RECIPIENT_STATES.map(state => [state, wanted[state] ?? 0]))
    expect(states).toEqual(all)
    expect(accepted).toBe(Object.values(wanted).reduce((sum, n) => sum + n, 0))
  }

  it('counts once what was done and whose answer was lost', async () => {
    await fault('TransactWriteItems', 'lost')
    const queueId = await create()
    await counted({ queued: 1 })
    await fault('TransactWriteItems', 'lost')
    await records.note(queueId, [], [{ recipient: RECIPIENT, state: 'deferred' }])
    await counted({ deferred: 1 })
    const deferral = { job: { ...deliveryJob(`${queueId}/delivery/2`), queueId }, dueAt: 5 }
    await fault('TransactWriteItems', 'lost')
    await records.defer(deferral)
    expect(await records.tallyDeferrals()).toMatchObject({ deferrals: 1, recipients: 1 })
    await fault('TransactWriteItems', 'lost')
    await records.undefer(deferral.job.id)
    expect(await records.tallyDeferrals()).toEqual({ deferrals: 0, recipients: 0 })
  })

  it('gives a claim, a mark and a lease to whom they were given before the answer was lost', async () => {
    const queueId = await create()
    const claim = { claimant: 'me', until: home.now() + 1000 }
    await fault('UpdateItem', 'lost')
    expect(await records.claim(queueId, [RECIPIENT], claim, home.now())).toEqual([{ recipient: RECIPIENT }])
    await fault('UpdateItem', 'lost')
    await records.sending(queueId, [RECIPIENT], { claimant: 'me', attempt: 1, at: 1, nextHop: 'x' })
    await fault('PutItem', 'lost')
    await home.scanRows.put(scanJob('a'))
    await fault('UpdateItem', 'lost')
    expect(await home.scanRows.lease('a')).toMatchObject({ got: 'lease', lease: { tries: 1 } })
    expect(await home.scanRows.lease('a')).toEqual({ got: 'busy', visibleAt: home.now() + home.leaseTime })
  })

  it('changes a policy entry once, though the answer was lost', async () => {
    const store = createDynamoPolicyStore({ table: await freshTable('policy') })
    const countUp = (current?: { value: Record<string, unknown> }) => ({
      value: { n: Number(current?.value.n ?? 0) + 1 },
      expiresAt: 1000,
    })
    for (const n of [1, 2, 3]) {
      await fault('PutItem', 'lost')
      expect((await store.update('space', 'key', 0, countUp))?.value).toEqual({ n })
    }
  })

  it('tries again what met another transaction, and what was too much at once', async () => {
    await fault('TransactWriteItems', 'conflict', 3)
    await fault('TransactWriteItems', 'throttled', 2)
    await create()
    await counted({ queued: 1 })
  })

  it('says so when it stays too much, and has then done nothing', async () => {
    await fault('TransactWriteItems', 'throttled', 100)
    await expect(create()).rejects.toThrow('Rate exceeded')
    const { faults } = await ownDynalite()
    faults.length = 0
    await counted({})
  })

  it('loses no count to many who move the same recipients at the same time', async () => {
    const recipients = Array.from({ length: 5 }, (_, n) => `r${n}@example.com`)
    const queueId = await create(recipients)
    const states: RecipientState[] = ['deferred', 'held', 'queued', 'quarantined', 'queued', 'deferred']
    await Promise.all(
      states.map(state =>
        records.note(
          queueId,
          [],
          recipients.map(recipient => ({ recipient, state })),
        ),
      ),
    )
    const { states: before } = await records.tally()
    const record = await records.get(queueId)
    for (const state of RECIPIENT_STATES) {
      expect(before[state]).toBe(record!.recipients.filter(recipient => recipient.state === state).length)
    }
    await Promise.all(
      (['delivered', 'failed', 'delivered'] as const).map(state =>
        records.note(queueId, [], [{ recipient: recipients[0]!, state }]),
      ),
    )
    const { states: after } = await records.tally()
    expect(after.delivered + after.failed).toBe(1)
  })

  it('moves more recipients than a transaction may hold', async () => {
    const recipients = Array.from({ length: 230 }, (_, n) => `r${n}@example.com`)
    const queueId = await create(recipients)
    await counted({ queued: 230 })
    expect((await records.get(queueId))?.recipients.map(({ recipient }) => recipient)).toEqual(recipients)
    const changes = recipients.map((recipient, n) => ({ recipient, state: n < 200 ? 'delivered' : 'held' }) as const)
    await records.note(queueId, [acceptedEvent()], changes)
    await counted({ delivered: 200, held: 30 })
    expect((await records.get(queueId))?.events).toHaveLength(2)
    expect((await records.listRecipients({ states: ['held'] }, { limit: 100 })).recipients).toHaveLength(30)
    expect((await records.find({ address: 'sender@example.org', limit: 9 })).length).toBe(1)
  })

  it('never had a message of which only a part was written', async () => {
    const recipients = Array.from({ length: 150 }, (_, n) => `r${n}@example.com`)
    await create([RECIPIENT])
    const message = acceptedMessage({ queueId: mintQueueId(home.now()), recipients })
    // The first step is done, the second is not.
    const { faults } = await ownDynalite()
    const steps: Fault[] = [{ operation: 'TransactWriteItems', what: 'lost', times: 0 }]
    faults.push(...steps)
    const creating = records.create(message, acceptedEvent())
    const refused = expect(creating).rejects.toThrow('Rate exceeded')
    const { bill } = await ownDynalite()
    const seen = bill.requests.TransactWriteItems!
    while (bill.requests.TransactWriteItems === seen) await new Promise(resolve => setImmediate(resolve))
    faults.push({ operation: 'TransactWriteItems', what: 'throttled', times: 100 })
    await refused
    faults.length = 0
    await counted({ queued: 1 })
    expect(await records.get(message.queueId)).toBeUndefined()
    const { recipients: listed } = await records.listRecipients({ states: ['queued'] }, { limit: 500 })
    expect(listed.map(({ recipient }) => recipient)).toEqual([RECIPIENT])
    expect(await records.find({ address: 'r0@example.com', limit: 9 })).toEqual([])
    await records.create(message, acceptedEvent())
    await counted({ queued: 151 })
  })
})
