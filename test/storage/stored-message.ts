// A message in the spool for the tests of job handlers: content and record, without any job.
import { mintQueueId } from '../../src/mail/queue-id.ts'
import type { Backends } from '../../src/storage/backends.ts'
import { acceptedEvent, acceptedMessage } from '../contract/home.ts'

type Wanted = Readonly<{ recipients?: readonly string[]; content?: string; acceptedAt?: number }>

/** Stores it durably and returns its queue id. */
export async function storeMessage(backends: Backends, wanted: Wanted = {}): Promise<string> {
  const { recipients = ['bob@example.com'], content = 'Subject: x\r\n\r\nbody\r\n', acceptedAt = Date.now() } = wanted
  const queueId = mintQueueId(acceptedAt)
  const draft = backends.messages.draft(queueId)
  await draft.write(Buffer.from(content))
  await draft.seal()
  const message = acceptedMessage({ queueId, recipients: [...recipients], acceptedAt, size: draft.size })
  await backends.together(
    () => draft.commit(),
    () => backends.records.create(message, acceptedEvent(acceptedAt)),
  )
  return queueId
}
