// The subject of a stored message, for lists. Undefined where there is none, or the content is gone.
import { headerLength, valuesOf } from '../mail/header.ts'
import { ContentMissingError, type MessageStore } from '../storage/message-store.ts'
import { decodeWords, harmlessLine } from './harmless-text.ts'

const HEAD = 64 * 1024
const LONGEST = 200

export async function subjectOf(messages: Pick<MessageStore, 'open'>, queueId: string): Promise<string | undefined> {
  try {
    const { chunks } = await messages.open(queueId)
    for await (const chunk of chunks()) {
      const head = chunk.subarray(0, HEAD)
      const [subject] = valuesOf(head.subarray(0, headerLength(head)), 'subject')
      return subject === undefined ? undefined : harmlessLine(decodeWords(subject.slice(0, 4000)), LONGEST)
    }
    return undefined
  } catch (error) {
    if (error instanceof ContentMissingError) return undefined
    throw error
  }
}
