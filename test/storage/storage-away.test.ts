// Which errors mean that the storage is away: as Node, SQLite's writer and the SDK make them.
import { readFile } from 'node:fs/promises'
import { DynamoDBClient, GetItemCommand, TransactionCanceledException } from '@aws-sdk/client-dynamodb'
import { expect, test } from 'vitest'
import { isStorageAway } from '../../src/storage/storage-away.ts'

const answered = (name: string, httpStatusCode: number) =>
  Object.assign(new Error(name), { name, $metadata: { httpStatusCode } })

test.each([
  ['a full disk', Object.assign(new Error(), { code: 'ENOSPC' })],
  ['a broken disk', Object.assign(new Error(), { code: 'EIO' })],
  ['a server’s fault', answered('InternalServerError', 500)],
  ['S3 that wants less', answered('SlowDown', 503)],
  ['DynamoDB that wants less', answered('ProvisionedThroughputExceededException', 400)],
  ['transactions that met too often', canceled('None', 'TransactionConflict')],
])('passes: %s', (_, error) => {
  expect(isStorageAway(error)).toBe(true)
})

test.each([
  ['a mistake of ours', new TypeError('x is undefined')],
  ['a request that is wrong', answered('ValidationException', 400)],
  ['rights that are missing', answered('AccessDeniedException', 400)],
  ['a table that is not there', answered('ResourceNotFoundException', 400)],
  ['a transaction with a wrong part', canceled('None', 'ValidationError')],
  ['nothing', undefined],
])('does not pass by itself: %s', (_, error) => {
  expect(isStorageAway(error)).toBe(false)
})

test('a service that cannot be reached passes, a file that is missing does not', async () => {
  const client = new DynamoDBClient({
    endpoint: 'http://127.0.0.1:9',
    region: 'us-east-1',
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    maxAttempts: 1,
  })
  const unreached = await client.send(new GetItemCommand({ TableName: 't', Key: {} })).catch(error => error)
  client.destroy()
  expect(isStorageAway(unreached)).toBe(true)
  expect(isStorageAway(await readFile('/nowhere').catch(error => error))).toBe(false)
})

function canceled(...codes: string[]): Error {
  const CancellationReasons = codes.map(Code => ({ Code }))
  return new TransactionCanceledException({
    message: 'canceled',
    $metadata: { httpStatusCode: 400 },
    CancellationReasons,
  })
}
