// The queue as a stream, page by page, so that a million messages need no memory.
import type { ListedRecipient } from '../../src/storage/record-store.ts'
import type { CallOperator } from './operator-client.ts'

type Page = Readonly<{ recipients: readonly ListedRecipient[]; next?: string }>

/** Recipients in the queue that fit, oldest message first. */
export async function* listQueue(call: CallOperator, filter: object = {}): AsyncGenerator<ListedRecipient> {
  let after: string | undefined
  do {
    const page: Page = await call('queue/list', { filter, ...(after !== undefined && { after }) })
    yield* page.recipients
    after = page.next
  } while (after !== undefined)
}

/** Messages in the queue with those of their recipients that fit. */
export async function* listMessages(call: CallOperator, filter?: object): AsyncGenerator<readonly ListedRecipient[]> {
  let message: ListedRecipient[] = []
  for await (const recipient of listQueue(call, filter)) {
    if (message.length > 0 && message[0]?.queueId !== recipient.queueId) {
      yield message
      message = []
    }
    message.push(recipient)
  }
  if (message.length > 0) yield message
}
