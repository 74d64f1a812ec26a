// What requests are billed by, counted in the SDK's own clients against emulators of the services.

import { once } from 'node:events'
import type { Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import {
  BatchWriteCommand,
  DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb'
import { type FauxqsServer, startFauxqs } from 'fauxqs'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type BilledUnit, costIn, countRequests } from '../../src/platform/billed-requests.ts'
import { createMetrics } from '../../src/platform/metrics.ts'

let aws: FauxqsServer
let database: Server
let counted: Partial<Record<BilledUnit, number>>
let settings: (port: number) => {
  endpoint: string
  region: string
  credentials: { accessKeyId: string; secretAccessKey: string }
}

const count = (unit: BilledUnit, by: number) => {
  counted[unit] = (counted[unit] ?? 0) + by
}

beforeAll(async () => {
  aws = await startFauxqs({ port: 0, logger: false })
  database = createRequire(import.meta.url)('dynalite')({ createTableMs: 0 }) as Server
  await once(database.listen(0, '127.0.0.1'), 'listening')
  settings = port => ({
    endpoint: `http://127.0.0.1:${port}`,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  })
})
beforeEach(() => {
  counted = {}
})
afterAll(async () => {
  await aws.stop()
  database.close()
})

test('S3: writes and lists at one price, reads at another, removals at none; a refusal is a request', async () => {
  const s3 = new S3Client({ ...settings(aws.port), forcePathStyle: true })
  countRequests(s3, count)
  const Bucket = 'billed'
  await s3.send(new CreateBucketCommand({ Bucket }))
  counted = {}
  await s3.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'x' }))
  await s3.send(new ListObjectsV2Command({ Bucket }))
  await (await s3.send(new GetObjectCommand({ Bucket, Key: 'a' }))).Body!.transformToString()
  await s3.send(new HeadObjectCommand({ Bucket, Key: 'a' }))
  await expect(s3.send(new GetObjectCommand({ Bucket, Key: 'none' }))).rejects.toThrow()
  await s3.send(new DeleteObjectCommand({ Bucket, Key: 'a' }))
  expect(counted).toEqual({ s3Put: 2, s3Get: 3 })
  s3.destroy()
})

test('SQS: a batch is one request, each 64 KB of it one more', async () => {
  const sqs = new SQSClient(settings(aws.port))
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: 'billed' }))
  countRequests(sqs, count)
  const Entries = Array.from({ length: 10 }, (_, n) => ({ Id: `${n}`, MessageBody: 'x' }))
  await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }))
  expect(counted).toEqual({ sqsRequest: 1 })
  await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'x'.repeat(100_000) }))
  expect(counted).toEqual({ sqsRequest: 3 })
  const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 1 }))
  await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: Messages[0]!.ReceiptHandle }))
  expect(counted).toEqual({ sqsRequest: 5 })
  sqs.destroy()
})

test('DynamoDB: the units that it says it used; a condition that does not hold is paid for', async () => {
  const plain = new DynamoDBClient(settings((database.address() as AddressInfo).port))
  countRequests(plain, count)
  const client = DynamoDBDocumentClient.from(plain)
  const TableName = 'billed'
  await plain.send(
    new CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
    }),
  )
  expect(counted).toEqual({})
  await client.send(new PutCommand({ TableName, Item: { pk: 'a', text: 'x'.repeat(2_500) } }))
  expect(counted).toEqual({ dynamodbWrite: 3 })
  const condition = { ConditionExpression: 'attribute_not_exists(pk)' }
  await expect(client.send(new PutCommand({ TableName, Item: { pk: 'a' }, ...condition }))).rejects.toThrow()
  expect(counted).toEqual({ dynamodbWrite: 4 })
  await client.send(
    new BatchWriteCommand({ RequestItems: { [TableName]: ['b', 'c'].map(pk => ({ PutRequest: { Item: { pk } } })) } }),
  )
  await client.send(
    new UpdateCommand({
      TableName,
      Key: { pk: 'b' },
      UpdateExpression: 'SET n = :n',
      ExpressionAttributeValues: { ':n': 1 },
    }),
  )
  expect(counted).toEqual({ dynamodbWrite: 7 })
  await client.send(new GetCommand({ TableName, Key: { pk: 'b' }, ConsistentRead: true }))
  await client.send(
    new QueryCommand({
      TableName,
      KeyConditionExpression: 'pk = :pk',
      ExpressionAttributeValues: { ':pk': 'b' },
    }),
  )
  expect(counted).toEqual({ dynamodbWrite: 7, dynamodbRead: 1.5 })
  plain.destroy()
})

test('what was not answered is not counted, and fails as it would have', async () => {
  const s3 = new S3Client({ ...settings(1), forcePathStyle: true, maxAttempts: 1 })
  countRequests(s3, count)
  await expect(s3.send(new PutObjectCommand({ Bucket: 'b', Key: 'k', Body: 'x' }))).rejects.toThrow(/ECONNREFUSED/)
  expect(counted).toEqual({})
})

test('in dollars, by component', async () => {
  const metrics = createMetrics()
  const cost = costIn(metrics.costUsd)
  cost('s3Put', 1_000)
  cost('s3Get', 10_000)
  cost('dynamodbWrite', 33)
  const text = await metrics.registry.getSingleMetricAsString('elemta_cost_usd_total')
  const of = (component: string) => Number(new RegExp(`\\{component="${component}"\\} (\\S+)`).exec(text)![1])
  expect(of('s3')).toBeCloseTo(0.005 + 0.004, 10)
  expect(of('dynamodb')).toBeCloseTo(0.000020625, 12)
  expect(of('sqs')).toBe(0)
})
