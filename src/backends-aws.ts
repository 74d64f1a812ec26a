// The AWS home behind the ports: contents in S3, records and jobs in DynamoDB, wake-ups by SQS. Any number of processes
// may have it open. Several writes are one after the other here, unless they are one, so a failure may leave the first of
// them: what a sweep finds of that is in src/spool/sweep-orphans.ts. Opening asks AWS nothing; what is missing shows with the first request.
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { S3Client } from '@aws-sdk/client-s3'
import { SQSClient } from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import type { DeliveryJob, Job, ScanJob } from './mail/job.ts'
import type { Priority } from './mail/priority.ts'
import { type Count, countRequests } from './platform/billed-requests.ts'
import type { AwsStorage } from './platform/config-storage.ts'
import type { Log } from './platform/log.ts'
import { signActions } from './platform/signed-actions.ts'
import { JOB_QUEUE } from './storage/aws-schema.ts'
import type { Backends } from './storage/backends.ts'
import { readItemAnswer } from './storage/item-answers-dynamodb.ts'
import { createSqsJobQueue, type SqsJobQueue, type SqsJobQueueOptions } from './storage/job-queue-sqs.ts'
import type { JobRows } from './storage/job-rows-dynamodb.ts'
import { createS3MessageStore, type S3MessageStore } from './storage/message-store-s3.ts'
import type { PolicyStore } from './storage/policy-store.ts'
import { createDynamoPolicyStore } from './storage/policy-store-dynamodb.ts'
import { readOnce } from './storage/read-once.ts'
import { createRecords } from './storage/records-dynamodb.ts'
import { openTable } from './storage/table-dynamodb.ts'
import { createWakeUpQueue } from './storage/wake-ups-sqs.ts'
import { inTurns } from './storage/write-steps.ts'

/** The URL of a queue for each priority; they may be the same. */
export type QueueUrls = Readonly<Record<Priority, string>>

/** Where the home is: `storage.aws` of the configuration. */
export type AwsPlace = Readonly<{
  region: string
  /** Of an emulator, for all services. */
  endpoint?: string | undefined
  bucket: string
  recordsTable: string
  policyTable: string
  scanQueues: QueueUrls
  deliveryQueues: QueueUrls
}>

export type AwsOptions = Readonly<{
  place: AwsPlace
  /** Milliseconds since 1970. */
  now: () => number
  log?: Log
  /** Told of every request by what it is billed at. */
  count?: Count | undefined
  /** Milliseconds until the job of a silent worker is handed out again; as long as wake-ups are hidden unless given. */
  leaseTime?: number
  /** Milliseconds that AWS has for an answer, receives aside. */
  answerTime?: number
  /** Milliseconds that the story of a message is kept after its end; 0 or absent: for ever, unless it is forgotten. */
  keep?: number
  /** The process both scans and delivers: what it has scanned it delivers itself, without a wake-up, reading it once. */
  deliversOwn?: boolean
  /** For emulators whose receives cannot be left waiting: seconds, and what is waited for between them. */
  polls?: Readonly<{ waitTime: number; times: NonNullable<SqsJobQueueOptions<Job>['times']> }>
}>

/** More than the ports: what the sweep of this home asks for. */
export type AwsBackends = Backends &
  Readonly<{
    messages: S3MessageStore
    scanJobs: SqsJobQueue<ScanJob>
    deliveryJobs: SqsJobQueue<DeliveryJob>
    /** Whether a message has jobs, leased or not, dead or not. */
    hasJobs(queueId: string): Promise<boolean>
    /** Settles the account of messages some minutes old: to be done every minute, anywhere. */
    settle(): Promise<void>
  }>

/** A request that has no answer by then has failed, and is tried again or means "later". */
const ANSWER_TIME = 10_000
const CONNECT_TIME = 3000
export const ATTEMPTS = 3

/** For emulators, which do not look at them; AWS gives its own, by the environment or the role. */
const EMULATOR_CREDENTIALS = { accessKeyId: 'emulator', secretAccessKey: 'emulator' }

function clientSettings({ region, endpoint }: AwsPlace, answerTime = ANSWER_TIME) {
  return {
    region,
    ...(endpoint !== undefined && { endpoint, credentials: EMULATOR_CREDENTIALS }),
    maxAttempts: ATTEMPTS,
    requestHandler: {
      connectionTimeout: CONNECT_TIME,
      requestTimeout: answerTime,
      throwOnRequestTimeout: true,
    },
  }
}

/** Opens the AWS home. `close` waits for the receives that are open: up to 20 seconds. */
export async function openAws(options: AwsOptions): Promise<AwsBackends> {
  const { place, now, log, count, keep, leaseTime = JOB_QUEUE.visibilityTimeout * 1000, polls } = options
  const { answerTime = ANSWER_TIME, deliversOwn = false } = options
  const settings = clientSettings(place, answerTime)
  const waitTime = polls?.waitTime ?? JOB_QUEUE.waitTime
  const s3 = new S3Client({ ...settings, ...(place.endpoint !== undefined && { forcePathStyle: true }) })
  const sqs = new SQSClient(settings)
  const receiver = new SQSClient(clientSettings(place, waitTime * 1000 + answerTime))
  const dynamodb = new DynamoDBClient(settings)
  if (count !== undefined) for (const client of [s3, sqs, receiver, dynamodb]) countRequests(client, count)
  signActions(sqs, 'sqs', { count })
  signActions(dynamodb, 'dynamodb', { count, read: readItemAnswer })
  const table = openTable({ client: DynamoDBDocumentClient.from(dynamodb), name: place.recordsTable })

  function jobQueue<J extends Job>(rows: JobRows<J>, urls: QueueUrls, keepsOwn = false): SqsJobQueue<J> {
    const byUrl = new Map(
      Object.values(urls).map(url => [url, createWakeUpQueue({ client: sqs, receiver, url, waitTime })]),
    )
    const queueOf = (priority: Priority) => byUrl.get(urls[priority])!
    const queues = { high: queueOf('high'), normal: queueOf('normal'), low: queueOf('low') }
    return createSqsJobQueue({ rows, queues, now, leaseTime, log, keepsOwn, ...(polls && { times: polls.times }) })
  }

  const contents = createS3MessageStore({ client: s3, bucket: place.bucket, count })
  const spool = createRecords({ table, hasContent: contents.has, now, leaseTime, ...(keep !== undefined && { keep }) })
  const { records, together, hasJobs, settle } = spool
  const scanJobs = jobQueue(spool.scanRows, place.scanQueues)
  const deliveryJobs = jobQueue(spool.deliveryRows, place.deliveryQueues, deliversOwn)
  let closing: Promise<void> | undefined

  async function close(): Promise<void> {
    await Promise.all([scanJobs.close(), deliveryJobs.close()])
    for (const client of [s3, sqs, receiver, dynamodb]) client.destroy()
  }

  return {
    messages: inTurns(deliversOwn ? readOnce(contents) : contents, spool.inTurn),
    records,
    scanJobs,
    deliveryJobs,
    together,
    provisionally: together,
    hasJobs,
    settle,
    close() {
      closing ??= close()
      return closing
    },
  }
}

/** As the configuration names it: priorities without a queue of their own share one. */
export function awsPlaceOf(aws: AwsStorage): AwsPlace {
  const { region, endpoint, bucket } = aws
  const [scan, delivery] = [aws.scan_queue, aws.delivery_queue]
  return {
    ...{ region, endpoint, bucket },
    recordsTable: aws.records_table,
    policyTable: aws.policy_table,
    scanQueues: { high: aws.scan_queue_high ?? scan, normal: scan, low: aws.scan_queue_low ?? scan },
    deliveryQueues: {
      high: aws.delivery_queue_high ?? delivery,
      normal: delivery,
      low: aws.delivery_queue_low ?? delivery,
    },
  }
}

/** Opens what policies remember. */
export function openAwsPolicyStore(place: AwsPlace, count?: Count): PolicyStore {
  const dynamodb = new DynamoDBClient(clientSettings(place))
  if (count !== undefined) countRequests(dynamodb, count)
  signActions(dynamodb, 'dynamodb', { count, read: readItemAnswer })
  const table = openTable({ client: DynamoDBDocumentClient.from(dynamodb), name: place.policyTable })
  const store = createDynamoPolicyStore({ table })
  return {
    ...store,
    async close() {
      await store.close()
      dynamodb.destroy()
    },
  }
}
