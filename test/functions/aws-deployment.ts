// A deployment without its containers, on emulators: what functions find in their environment, and mail that waits for them.
import { stringify } from 'yaml'
import type { AwsBackends } from '../../src/backends-aws.ts'
import { mintQueueId } from '../../src/mail/queue-id.ts'
import { acceptedEvent, acceptedMessage } from '../contract/home.ts'
import { type AwsHome, awsHome, storageBlock } from '../storage/aws-home.ts'

export type Deployment = Readonly<{
  home: AwsHome
  backends: AwsBackends
  /** As ELEMTA_CONFIG_YAML has it. */
  configuration: string
  /** Accepts a message that is scanned and waits for delivery; resolves with its id and the SQS message that wakes for it. */
  waiting(recipients?: string[]): Promise<Readonly<{ queueId: string; record: { messageId: string; body: string } }>>
  dispose(): Promise<void>
}>

/** `config` is merged over the configuration, key by key. */
export async function deployment(config: Record<string, unknown> = {}): Promise<Deployment> {
  const home = await awsHome()
  const backends = await home.open({ now: Date.now })
  const configuration = stringify({
    hostname: 'mx.example.com',
    data_dir: '/tmp/elemta-function',
    log: { level: 'error' },
    relay: { domains: ['example.com'], networks: [] },
    plugins: [],
    storage: storageBlock(home.place),
    ...config,
  })
  return {
    home,
    backends,
    configuration,
    async waiting(recipients = ['bob@example.com']) {
      const queueId = mintQueueId(Date.now())
      const draft = backends.messages.draft(queueId)
      await draft.write(Buffer.from('Subject: hello\r\nFrom: alice@example.org\r\n\r\nHello Bob\r\n'))
      await draft.seal()
      const message = acceptedMessage({ queueId, recipients, acceptedAt: Date.now() })
      const job = {
        kind: 'delivery',
        id: `${queueId}/delivery/1`,
        queueId,
        recipients,
        attempt: 1,
        headers: [],
      } as const
      await draft.commit()
      await backends.records.create(message, acceptedEvent(Date.now()))
      await backends.deliveryJobs.enqueue(job)
      return { queueId, record: { messageId: queueId, body: JSON.stringify({ job: job.id, enqueuedAt: Date.now() }) } }
    },
    async dispose() {
      await backends.close()
      await home.dispose()
    },
  }
}
