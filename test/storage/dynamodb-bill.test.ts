// What a message costs in DynamoDB, in requests and in units: the numbers that docs/aws-storage.md tells.
import { expect, test } from 'vitest'
import { mintQueueId } from '../../src/mail/queue-id.ts'
import { createDynamoPolicyStore } from '../../src/storage/policy-store-dynamodb.ts'
import type { Bill } from '../contract/dynalite.ts'
import { freshTable, ownDynalite, useDynalite } from '../contract/dynamo-tables.ts'
import { acceptedEvent, acceptedMessage } from '../contract/home.ts'
import { dynamoHome } from './dynamo-home.ts'

useDynalite()

async function costOf(steps: () => Promise<unknown>): Promise<Omit<Bill, 'exact'>> {
  const { bill } = await ownDynalite()
  Object.assign(bill, { requests: {}, writeUnits: 0, readUnits: 0, exact: true })
  await steps()
  const { exact, ...cost } = structuredClone(bill)
  bill.exact = false
  return cost
}

test('a message that is accepted, scanned and delivered to one recipient', async () => {
  const home = await dynamoHome()
  const { records } = await home.open()
  const { scanRows, deliveryRows } = home
  const queueId = mintQueueId(home.now())
  const recipient = 'user@example.com'
  const job = { queueId, recipients: [recipient], attempt: 1 }

  const accepted = await costOf(async () => {
    await records.create(acceptedMessage({ queueId }), acceptedEvent())
    await scanRows.put({ ...job, kind: 'scan', id: `${queueId}/scan/1` })
  })
  expect(accepted).toEqual({ requests: { TransactWriteItems: 1, PutItem: 1 }, writeUnits: 10, readUnits: 0 })

  const at = home.now()
  const scanned = await costOf(async () => {
    const answer = await scanRows.lease(`${queueId}/scan/1`)
    await records.note(
      queueId,
      [
        { at, event: 'scanned', findings: [], seconds: 0.1 },
        { at, event: 'verdict', decision: 'deliver', why: 'clean' },
      ],
      [],
    )
    await deliveryRows.put({ ...job, kind: 'delivery', id: `${queueId}/delivery/1`, headers: [] })
    if (answer.got === 'lease') await scanRows.done(answer.lease)
  })
  const requests = { UpdateItem: 1, GetItem: 1, PutItem: 2, DeleteItem: 1 }
  expect(scanned).toEqual({ requests, writeUnits: 6, readUnits: 1 })

  const delivered = await costOf(async () => {
    const answer = await deliveryRows.lease(`${queueId}/delivery/1`)
    await records.get(queueId)
    const claimant = 'me'
    await records.claim(queueId, [recipient], { claimant, until: at + 1000 }, at)
    const nextHop = 'smtp://192.0.2.25:25'
    await records.sending(queueId, [recipient], { claimant, attempt: 1, at, nextHop })
    const event = { at, event: 'delivered', recipient, nextHop, reply: '250 2.0.0 Ok', seconds: 1 } as const
    await records.note(queueId, [event], [{ recipient, state: 'delivered' }])
    if (answer.got === 'lease') await deliveryRows.done(answer.lease)
  })
  expect(delivered).toEqual({
    requests: { UpdateItem: 3, Query: 1, TransactWriteItems: 1, DeleteItem: 1 },
    writeUnits: 12,
    readUnits: 1,
  })
})

test('a session of somebody whom greylisting knows, and of a stranger', async () => {
  const store = createDynamoPolicyStore({ table: await freshTable('policy') })
  const seen = () => ({ value: { seen: 1 }, expiresAt: 1000 })
  const stranger = await costOf(() => store.update('greylist', 'key', 0, seen))
  expect(stranger).toEqual({ requests: { GetItem: 1, PutItem: 1 }, writeUnits: 2, readUnits: 1 })
  const known = await costOf(() => store.get('greylist', 'key', 0))
  expect(known).toEqual({ requests: { GetItem: 1 }, writeUnits: 0, readUnits: 1 })
})
