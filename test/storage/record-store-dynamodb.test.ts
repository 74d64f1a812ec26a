import { expect, test } from 'vitest'
import { mintQueueId } from '../../src/mail/queue-id.ts'
import type { Table } from '../../src/storage/table-dynamodb.ts'
import { acceptedEvent, acceptedMessage } from '../contract/home.ts'
import { recipientClaimsContract } from '../contract/recipient-claims.ts'
import { recipientListsContract } from '../contract/recipient-lists.ts'
import { recordRemovalContract } from '../contract/record-removal.ts'
import { recordStoreContract } from '../contract/record-store.ts'
import { dynamoHome } from './dynamo-home.ts'

recordStoreContract(dynamoHome)
recipientClaimsContract(dynamoHome)
recipientListsContract(dynamoHome)
recordRemovalContract(dynamoHome)

test('a removal that breaks off leaves a record, which the next one removes', async () => {
  const home = await dynamoHome()
  const broken: Table = {
    ...home.table,
    removeAll: keys =>
      keys.some(({ sk }) => sk === 'M') ? Promise.reject(new Error('the power is gone')) : home.table.removeAll(keys),
  }
  const { records } = await home.open()
  const message = acceptedMessage({ queueId: mintQueueId(home.now()), acceptedAt: home.now() })
  await records.create(message, acceptedEvent(home.now()))
  const recipient = 'user@example.com'
  await records.note(message.queueId, [acceptedEvent(home.now())], [{ recipient, state: 'delivered' }])
  await home.advance(1)
  const { records: breaking } = home.make({ table: broken, hasContent: async () => false })
  await expect(breaking.forget(home.now(), { limit: 9 })).rejects.toThrow('the power is gone')
  expect(await records.get(message.queueId)).toEqual({
    message,
    recipients: [],
    events: [acceptedEvent(home.now() - 1)],
  })
  expect(await records.forget(home.now(), { limit: 9 })).toEqual({ forgotten: 1 })
  expect(await home.table.query({ partition: `Q#${message.queueId}` })).toEqual([])
  expect((await records.tally()).states.delivered).toBe(1)
})

test('finds a message also by the last of many recipients, who have no room in the index', async () => {
  const { records } = await (await dynamoHome()).open()
  const recipients = Array.from({ length: 60 }, (_, n) => `Recipient${n}@example.com`)
  const messages = [acceptedMessage({ recipients }), acceptedMessage()]
  for (const message of messages) await records.create(message, acceptedEvent())
  const found = async (address: string) =>
    (await records.find({ address, limit: 1 })).map(({ message }) => message.queueId)
  expect(await found('recipient59@example.com')).toEqual([messages[0]!.queueId])
  expect(await found('user@example.com')).toEqual([messages[1]!.queueId])
  expect(await found('recipient5@example.co')).toEqual([])
})
