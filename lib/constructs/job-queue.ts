// A queue of wake-ups for jobs, with its dead-letter queue, as aws-schema describes them. A message carries an id only: the
// job itself is a row in the records table, so that a lost or doubled message does no harm.
import { Duration, RemovalPolicy } from 'aws-cdk-lib'
import { Queue, QueueEncryption, type QueueProps } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import type { QueueSchema } from '../../src/storage/aws-schema.ts'
import { acknowledge } from './acknowledge.ts'

export type JobQueueProps = Readonly<{ schema: QueueSchema; retain: boolean }>

export class JobQueue extends Construct {
  readonly queue: Queue
  /** Jobs whose workers died over them without a word. */
  readonly deadLetters: Queue

  constructor(scope: Construct, id: string, { schema, retain }: JobQueueProps) {
    super(scope, id)
    const common: QueueProps = {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      removalPolicy: retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    }
    this.deadLetters = new Queue(this, 'DeadLetters', {
      ...common,
      retentionPeriod: Duration.seconds(schema.deadLetterRetention),
    })
    this.queue = new Queue(this, 'Queue', {
      ...common,
      visibilityTimeout: Duration.seconds(schema.visibilityTimeout),
      retentionPeriod: Duration.seconds(schema.retention),
      receiveMessageWaitTime: Duration.seconds(schema.waitTime),
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: schema.maxReceiveCount },
    })
    acknowledge(this.deadLetters, { SQS3: 'It is the dead-letter queue' })
  }
}
