// A program: brings messages to AWS as one of four clients, and prints what it took as JSON. Its argument is a task as
// JSON. It measures itself after a warm-up, when what is compiled is compiled and connections are open.

import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient, PutCommand } from '@aws-sdk/lib-dynamodb'
import { openAws } from '../../src/backends-aws.ts'
import { accept } from '../../src/ingress/accept.ts'
import { mintQueueId } from '../../src/mail/queue-id.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createS3MessageStore } from '../../src/storage/message-store-s3.ts'
import { createWakeUpQueue } from '../../src/storage/wake-ups-sqs.ts'
import { acceptedMessage } from '../contract/home.ts'
import type { Counts } from './aws-emulators.ts'
import type { Outcome, Task, Way } from './aws-ways.ts'

type Store = (content: Buffer) => Promise<unknown>

const WARM_UP = 1500

const task = JSON.parse(process.argv[2]!) as Task
const { place } = task
const settings = {
  region: place.region,
  endpoint: place.endpoint,
  credentials: { accessKeyId: 'emulator', secretAccessKey: 'emulator' },
}
const recipients = ['user@example.com']

const WAY: Readonly<Record<Way, () => Store | Promise<Store>>> = {
  naive,
  'naive, with a record'() {
    const store = naive()
    const table = DynamoDBDocumentClient.from(new DynamoDBClient(settings))
    return async content => {
      const message = acceptedMessage({ queueId: mintQueueId(Date.now()), size: content.length })
      const Item = { pk: message.queueId, sk: 'M', doc: JSON.stringify(message) }
      await table.send(new PutCommand({ TableName: place.recordsTable, Item }))
      await store(content)
    }
  },
  Elemta() {
    const s3 = new S3Client({ ...settings, forcePathStyle: true })
    const messages = createS3MessageStore({ client: s3, bucket: place.bucket })
    const client = new SQSClient(settings)
    const queue = createWakeUpQueue({ client, receiver: client, url: place.scanQueues.normal, waitTime: 0 })
    return async content => {
      const queueId = mintQueueId(Date.now())
      const draft = messages.draft(queueId)
      await draft.write(content)
      await draft.seal()
      await draft.commit()
      await queue.send({ kind: 'scan', id: `${queueId}/scan/1`, queueId, recipients, attempt: 1 }, Date.now())
    }
  },
  async 'Elemta, with a record'() {
    const backends = await openAws({ place, now: Date.now })
    const course = { log: silentLog, givenUp: () => false }
    return async content => {
      const queueId = mintQueueId(Date.now())
      const draft = backends.messages.draft(queueId)
      await draft.write(content)
      const message = acceptedMessage({ queueId, acceptedAt: Date.now(), size: content.length })
      const { reply } = await accept(draft, message, backends, course)
      if (reply.code !== 250) throw new Error(`answered ${reply.code}`)
    }
  },
}

function naive(): Store {
  const s3 = new S3Client({ ...settings, forcePathStyle: true })
  const sqs = new SQSClient(settings)
  return async Body => {
    const Key = `incoming/${mintQueueId(Date.now())}`
    await s3.send(new PutObjectCommand({ Bucket: place.bucket, Key, Body }))
    const MessageBody = JSON.stringify({ job: Key, enqueuedAt: Date.now() })
    await sqs.send(new SendMessageCommand({ QueueUrl: place.scanQueues.normal, MessageBody }))
  }
}

async function bring(store: Store, messages: number): Promise<void> {
  const content = Buffer.alloc(task.size, 'A line of a message that is like all others.\r\n')
  let left = messages
  const session = async () => {
    while (left-- > 0) await store(content)
  }
  await Promise.all(Array.from({ length: task.sessions }, session))
}

async function counts(method: 'GET' | 'POST'): Promise<Counts> {
  return (await (await fetch(task.control, { method })).json()) as Counts
}

const store = await WAY[task.way]()
await bring(store, Math.min(WARM_UP, task.messages))
await counts('POST')
const [cpuBefore, began] = [process.cpuUsage(), performance.now()]
await bring(store, task.messages)
const { user, system } = process.cpuUsage(cpuBefore)
const seconds = (performance.now() - began) / 1000
const outcome: Outcome = {
  cpu: (user + system) / task.messages,
  rate: task.messages / seconds,
  counts: await counts('GET'),
}
process.stdout.write(JSON.stringify(outcome), () => process.exit(0))
