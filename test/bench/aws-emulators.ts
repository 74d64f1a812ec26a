// A program: emulators of S3, SQS and DynamoDB with a front before them, in a process of their own, so that what they use
// is not counted as the client's. The front passes everything on and counts. Arguments: the port of the front, and one
// where its counts are told (GET) and begun anew (POST).
import { createServer } from 'node:http'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs'
import { startFauxqs } from 'fauxqs'
import type { AwsPlace } from '../../src/backends-aws.ts'
import { POLICY_TABLE, RECORDS_TABLE } from '../../src/storage/aws-schema.ts'
import { createTable } from '../../src/storage/create-table-dynamodb.ts'
import { startDynalite } from '../contract/dynalite.ts'
import { type FrontRequest, startFront } from '../storage/http-front.ts'

/** Since the last beginning, by action; and all connections. */
export type Counts = Readonly<{ requests: Readonly<Record<string, number>>; connections: number }>
export type Told = Counts & Readonly<{ place: AwsPlace & { endpoint: string } }>

const [port, controlPort] = process.argv.slice(2).map(Number)
const { port: fauxqsPort } = await startFauxqs({ port: 0, logger: false })
const dynalite = await startDynalite()
const front = await startFront(`http://127.0.0.1:${fauxqsPort}`, { dynamodb: dynalite.endpoint, port })
const place = await makePlace(front.endpoint)
const connectionsBefore = front.connections()

createServer((request, response) => {
  if (request.method === 'POST') front.requests.length = 0
  const connections = front.connections() - connectionsBefore
  const told: Told = { requests: counted(front.requests), connections, place }
  response.end(JSON.stringify(told))
}).listen(controlPort, '127.0.0.1')

function counted(requests: readonly FrontRequest[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { action, method } of requests) {
    const name = action || `S3 ${method}`
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}

async function makePlace(endpoint: string): Promise<Told['place']> {
  const region = 'us-east-1'
  const settings = { endpoint, region, credentials: { accessKeyId: 'emulator', secretAccessKey: 'emulator' } }
  const s3 = new S3Client({ ...settings, forcePathStyle: true })
  const sqs = new SQSClient(settings)
  const dynamodb = new DynamoDBClient(settings)
  await s3.send(new CreateBucketCommand({ Bucket: 'mail' }))
  const queue = (await sqs.send(new CreateQueueCommand({ QueueName: 'jobs' }))).QueueUrl!
  await createTable(dynamodb, 'records', RECORDS_TABLE, { timeToLive: false })
  await createTable(dynamodb, 'policy', POLICY_TABLE, { timeToLive: false })
  for (const client of [s3, sqs, dynamodb]) client.destroy()
  const queues = { high: queue, normal: queue, low: queue }
  const tables = { recordsTable: 'records', policyTable: 'policy' }
  return { ...settings, ...tables, bucket: 'mail', scanQueues: queues, deliveryQueues: queues }
}
