// One SQS queue of wake-ups. A wake-up names a job, and says nothing of it: the job's row is the truth. So one that comes
// twice, late or never does no harm; of those that never come the sweep sends another.
// Fair among recipient domains: SQS lets no message group hold up the others when the backlog is one domain's.
import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import { domainOf } from '../mail/envelope.ts'
import type { Job } from '../mail/job.ts'
import { createBatcher } from './batch-sqs.ts'

export type WakeUp = Readonly<{
  jobId: string
  /** Of the job, milliseconds since 1970. */
  enqueuedAt: number
  handle: string
  queue: WakeUpQueue
}>

export interface WakeUpQueue {
  /** To be received after `delay` milliseconds, at most 15 minutes. Rejects when SQS may not have taken it. */
  send(job: Job, enqueuedAt: number, delay?: number): Promise<void>
  /** Up to `max`, at most 10, waiting for the first. */
  receive(max: number): Promise<WakeUp[]>
  /** From now on nobody receives it for so many milliseconds, at most 12 hours. */
  later(wakeUp: WakeUp, milliseconds: number): Promise<void>
  remove(wakeUp: WakeUp): Promise<void>
  /** About how many there are, received ones among them. */
  depth(): Promise<number>
}

const LONGEST_DELAY = 900
const LONGEST_HIDDEN = 43_200
/** At a time. */
export const MOST_RECEIVED = 10
const COUNTS = [
  'ApproximateNumberOfMessages',
  'ApproximateNumberOfMessagesNotVisible',
  'ApproximateNumberOfMessagesDelayed',
] as const

export type WakeUpQueueOptions = Readonly<{
  client: SQSClient
  /** For receives, which wait for their answers longer than all else. */
  receiver: SQSClient
  url: string
  /** Seconds that a receive waits. */
  waitTime: number
}>

export function createWakeUpQueue({ client, receiver, url: QueueUrl, waitTime }: WakeUpQueueOptions): WakeUpQueue {
  type Sent = { MessageBody: string; MessageGroupId: string; DelaySeconds: number }
  type Hidden = { ReceiptHandle: string; VisibilityTimeout: number }
  const send = createBatcher<Sent>(Entries => client.send(new SendMessageBatchCommand({ QueueUrl, Entries })))
  const remove = createBatcher<{ ReceiptHandle: string }>(Entries =>
    client.send(new DeleteMessageBatchCommand({ QueueUrl, Entries })),
  )
  const hide = createBatcher<Hidden>(Entries =>
    client.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries })),
  )

  const queue: WakeUpQueue = {
    send: (job, enqueuedAt, delay = 0) =>
      send({
        MessageBody: JSON.stringify({ job: job.id, enqueuedAt }),
        MessageGroupId: groupOf(job),
        DelaySeconds: seconds(delay, LONGEST_DELAY),
      }),

    async receive(max) {
      const { Messages = [] } = await receiver.send(
        new ReceiveMessageCommand({
          QueueUrl,
          MaxNumberOfMessages: Math.min(max, MOST_RECEIVED),
          WaitTimeSeconds: waitTime,
        }),
      )
      return Messages.flatMap(({ Body = '', ReceiptHandle = '' }) => {
        const said = readWakeUp(Body)
        return said === undefined ? [] : [{ ...said, handle: ReceiptHandle, queue }]
      })
    },

    later: ({ handle }, milliseconds) =>
      hide({ ReceiptHandle: handle, VisibilityTimeout: seconds(milliseconds, LONGEST_HIDDEN) }),

    remove: ({ handle }) => remove({ ReceiptHandle: handle }),

    async depth() {
      const command = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [...COUNTS] })
      const { Attributes = {} } = await client.send(command)
      return COUNTS.reduce((sum, name) => sum + Number(Attributes[name] ?? 0), 0)
    },
  }
  return queue
}

/** What a message says; undefined when it is none of ours, which the dead-letter queue gets in the end. */
export function readWakeUp(body: string): Readonly<{ jobId: string; enqueuedAt: number }> | undefined {
  try {
    const { job, enqueuedAt } = JSON.parse(body)
    if (typeof job === 'string' && typeof enqueuedAt === 'number') return { jobId: job, enqueuedAt }
  } catch {}
  return undefined
}

/** The domain that most depends on the job: SQS takes 128 printable characters of ASCII. */
function groupOf({ recipients }: Job): string {
  const domain = domainOf(recipients[0] ?? '').toLowerCase()
  return domain.replace(/[^!-~]/g, '_').slice(0, 128) || '-'
}

/** Rounded up: nobody comes too early. */
function seconds(milliseconds: number, most: number): number {
  return Math.min(Math.max(Math.ceil(milliseconds / 1000), 0), most)
}
