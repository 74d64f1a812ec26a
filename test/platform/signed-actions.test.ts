// DynamoDB and SQS the short way, against emulators behind a front: the same answers, errors and counts as the SDK's own
// way, fewer connections than requests, and the SDK's patience when something fails.
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs'
import {
  BatchGetCommand,
  BatchWriteCommand,
  DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { countRequests } from '../../src/platform/billed-requests.ts'
import { signActions } from '../../src/platform/signed-actions.ts'
import { readItemAnswer } from '../../src/storage/item-answers-dynamodb.ts'
import { freshTable } from '../contract/dynamo-tables.ts'
import { awsFront, awsPlace } from '../storage/aws-home.ts'
import type { Fate, Front } from '../storage/http-front.ts'
import { CREDENTIALS, REGION } from '../storage/s3.ts'

let front: Front
let TableName: string
beforeAll(async () => {
  front = await awsFront()
  TableName = (await freshTable('records')).name
})
afterAll(() => front.close())
beforeEach(() => {
  front.decide(() => 'pass')
  front.requests.length = 0
})

const OCTETS = { octets: Uint8Array.of(0, 255, 10), list: [Uint8Array.of(7), 'text'] }

type Counted = Record<string, number>
const countIn = (counted: Counted) => (unit: string, by: number) => {
  counted[unit] = (counted[unit] ?? 0) + by
}
const settings = () => ({ endpoint: front.endpoint, region: REGION, credentials: CREDENTIALS })

function documents(way: 'short' | 'long', counted: Counted = {}): DynamoDBDocumentClient {
  const client = new DynamoDBClient({ ...settings(), maxAttempts: 2 })
  countRequests(client, countIn(counted))
  if (way === 'short') signActions(client, 'dynamodb', { count: countIn(counted), read: readItemAnswer })
  return DynamoDBDocumentClient.from(client)
}

/** The SDK says who it is; what is sent here does not. */
const bySdk = () => front.requests.filter(({ headers }) => String(headers['user-agent']).includes('aws-sdk-js')).length

/** Answers and errors of some requests; each on keys of its own. */
async function talk(client: DynamoDBDocumentClient, pk: string): Promise<unknown[]> {
  const said: unknown[] = []
  const send = async (command: object) => {
    const asked = client.send(command as PutCommand).catch(({ name }) => ({ name }))
    const answer = { ...(await asked), $metadata: undefined }
    said.push(JSON.parse(JSON.stringify(answer).replaceAll(pk, 'pk')))
  }
  const Item = {
    pk,
    sk: 'a',
    text: 'päckchen "1"',
    number: 12.5,
    truth: true,
    inner: { list: [1, 'two', null] },
    ...OCTETS,
  }
  await send(new PutCommand({ TableName, Item }))
  await send(new GetCommand({ TableName, Key: { pk, sk: 'a' }, ConsistentRead: true }))
  await send(new GetCommand({ TableName, Key: { pk, sk: 'none' } }))
  await send(new PutCommand({ TableName, Item, ConditionExpression: 'attribute_not_exists(pk)' }))
  const change = { UpdateExpression: 'SET #n = #n + :one', ExpressionAttributeNames: { '#n': 'number' } }
  const ExpressionAttributeValues = { ':one': 1 }
  const Key = { pk, sk: 'a' }
  await send(new UpdateCommand({ TableName, Key, ...change, ExpressionAttributeValues, ReturnValues: 'ALL_NEW' }))
  const KeyConditionExpression = 'pk = :pk'
  await send(new QueryCommand({ TableName, KeyConditionExpression, ExpressionAttributeValues: { ':pk': pk } }))
  await send(new QueryCommand({ TableName, KeyConditionExpression: 'nonsense', ExpressionAttributeValues }))
  await send(new BatchGetCommand({ RequestItems: { [TableName]: { Keys: [Key, { pk, sk: 'none' }] } } }))
  await send(new BatchWriteCommand({ RequestItems: { [TableName]: [{ DeleteRequest: { Key } }] } }))
  return said
}

describe('DynamoDB', () => {
  test('answers, refuses and is billed as through the SDK', async () => {
    const [short, long]: [Counted, Counted] = [{}, {}]
    const expected = await talk(documents('long', long), 'long')
    expect(expected).toHaveLength(9)
    expect(await talk(documents('short', short), 'short')).toEqual(expected)
    expect(expected[3]).toMatchObject({ name: 'ConditionalCheckFailedException' })
    // A refusal is heard twice, for the SDK asks again.
    expect(short).toEqual({ ...long, dynamodbWrite: long.dynamodbWrite! + 1 })
  })

  test.each<[string, Fate]>([
    ['an answer that is lost', 'lost'],
    ['half an answer', 'cut'],
    ['an error of AWS', { status: 500 }],
    ['an answer that is no JSON', { status: 200, body: '<html>' }],
  ])('%s is asked for again by the SDK', async (_, fate) => {
    const client = documents('short')
    await client.send(new PutCommand({ TableName, Item: { pk: 'again', sk: 'a' } }))
    expect(bySdk()).toBe(0)
    let happened = false
    front.decide(() => {
      if (happened) return 'pass'
      happened = true
      return fate
    })
    const { Item } = await client.send(new GetCommand({ TableName, Key: { pk: 'again', sk: 'a' } }))
    expect(Item).toEqual({ pk: 'again', sk: 'a' })
    expect(bySdk()).toBe(1)
  })

  test('connections are kept', async () => {
    const client = documents('short')
    const before = front.connections()
    const session = async (_: unknown, n: number) => {
      for (let m = 0; m < 10; m++) await client.send(new PutCommand({ TableName, Item: { pk: `${n}`, sk: `${m}` } }))
    }
    await Promise.all(Array.from({ length: 8 }, session))
    expect(front.requests).toHaveLength(80)
    expect(bySdk()).toBe(0)
    expect(front.connections() - before).toBeLessThanOrEqual(16)
  })
})

test('SQS takes batches, and says which entries it refuses', async () => {
  const QueueUrl = (await awsPlace(front.endpoint)).scanQueues.normal
  const counted: Counted = {}
  const client = new SQSClient(settings())
  signActions(client, 'sqs', { count: countIn(counted) })
  front.requests.length = 0
  const Entries = [
    { Id: '0', MessageBody: 'one', MessageGroupId: 'example.com' },
    { Id: '1', MessageBody: '\u0001' },
  ]
  const { Successful = [], Failed = [] } = await client.send(new SendMessageBatchCommand({ QueueUrl, Entries }))
  expect(Successful.map(({ Id }) => Id)).toEqual(['0'])
  expect(Failed.map(({ Id }) => Id)).toEqual(['1'])
  expect(bySdk()).toBe(0)
  expect(counted).toEqual({ sqsRequest: 1 })
  client.destroy()
})
