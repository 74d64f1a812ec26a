// The AWS home for the contract suites, on emulators: all services behind one front, a bucket, tables and queues of a
// test's own, and a clock that tests set. What the clock makes due is woken by the sweep of lost wake-ups, at once.
import { S3Client } from '@aws-sdk/client-s3'
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs'
import { type AwsBackends, type AwsOptions, type AwsPlace, openAws, type QueueUrls } from '../../src/backends-aws.ts'
import { PRIORITIES } from '../../src/mail/priority.ts'
import { JOB_QUEUE } from '../../src/storage/aws-schema.ts'
import { dynamoClient, freshTable } from '../contract/dynamo-tables.ts'
import type { Home } from '../contract/home.ts'
import { type Front, startFront } from './http-front.ts'
import { awsEndpoint, CREDENTIALS, newBucket, REGION } from './s3.ts'

const LEASE_TIME = 60_000
/** An open receive of an emulator takes messages with it when its process is gone. */
export const POLLS = { waitTime: 0, times: { pause: 5, gather: 1000 } }

export type AwsHome = Omit<Home, 'open'> &
  Readonly<{ place: AwsPlace; front: Front; open(options?: Partial<AwsOptions>): Promise<AwsBackends> }>

let queues = 0

/** A front before the emulators, for one who wants to break something. */
export async function awsFront(): Promise<Front> {
  const { protocol, hostname, port } = await (await dynamoClient()).config.endpoint!()
  return startFront(await awsEndpoint(), { dynamodb: `${protocol}//${hostname}:${port}` })
}

/** Resources of a test's own. */
export async function awsPlace(endpoint: string): Promise<AwsPlace> {
  const settings = { endpoint, region: REGION, credentials: CREDENTIALS }
  const s3 = new S3Client({ ...settings, forcePathStyle: true })
  const sqs = new SQSClient(settings)
  const newQueue = async () => {
    const command = new CreateQueueCommand({
      QueueName: `jobs-${process.pid}-${++queues}-${Date.now()}`,
      Attributes: { VisibilityTimeout: String(JOB_QUEUE.visibilityTimeout) },
    })
    return (await sqs.send(command)).QueueUrl!
  }
  const newQueues = async () => {
    const urls = await Promise.all(PRIORITIES.map(async priority => [priority, await newQueue()] as const))
    return Object.fromEntries(urls) as QueueUrls
  }
  try {
    return {
      region: REGION,
      endpoint,
      bucket: await newBucket(s3),
      recordsTable: (await freshTable('records')).name,
      policyTable: (await freshTable('policy')).name,
      scanQueues: await newQueues(),
      deliveryQueues: await newQueues(),
    }
  } finally {
    s3.destroy()
    sqs.destroy()
  }
}

/** The block of the configuration for a gateway on these resources; delivery has one queue for all priorities. */
export function storageBlock(place: AwsPlace) {
  const { region, endpoint, bucket, recordsTable, policyTable, scanQueues, deliveryQueues } = place
  const tables = { records_table: recordsTable, policy_table: policyTable }
  const scan = { scan_queue: scanQueues.normal, scan_queue_high: scanQueues.high, scan_queue_low: scanQueues.low }
  return { home: 'aws', aws: { region, endpoint, bucket, ...tables, ...scan, delivery_queue: deliveryQueues.normal } }
}

export async function awsHome(options: Partial<AwsOptions> = {}): Promise<AwsHome> {
  const front = await awsFront()
  const place = await awsPlace(front.endpoint)
  let time = 1_700_000_000_000
  const now = () => time
  let backends: AwsBackends | undefined
  return {
    place,
    front,
    leaseTime: LEASE_TIME,
    now,
    async open(more: Partial<AwsOptions> = {}) {
      backends = await openAws({ place, now, leaseTime: LEASE_TIME, polls: POLLS, ...options, ...more })
      return backends
    },
    async advance(milliseconds) {
      time += milliseconds
      const due = { grace: -1, patience: -1, max: 100 }
      await Promise.all([backends?.scanJobs.resend(due), backends?.deliveryJobs.resend(due)])
    },
    dispose: () => front.close(),
  }
}
