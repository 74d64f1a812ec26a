// A message store without storage, for the suites of adapters that keep no contents.
import { type Content, ContentMissingError, type MessageStore } from '../../src/storage/message-store.ts'

export function contentsInMemory(): MessageStore {
  const contents = new Map<string, Buffer>()
  const content = (octets: Buffer): Content => ({
    size: octets.length,
    async *chunks() {
      yield octets
    },
  })
  return {
    draft(queueId) {
      const chunks: Buffer[] = []
      const whole = () => Buffer.concat(chunks)
      return {
        get size() {
          return whole().length
        },
        get head() {
          return whole()
        },
        async write(chunk) {
          chunks.push(chunk)
        },
        async seal() {},
        content: () => content(whole()),
        async commit() {
          contents.set(queueId, whole())
        },
        async discard() {},
      }
    },
    async open(queueId) {
      const octets = contents.get(queueId)
      if (octets === undefined) throw new ContentMissingError(queueId)
      return content(octets)
    },
    async remove(queueId) {
      contents.delete(queueId)
    },
    hasRoom: async () => true,
    async *list() {
      yield* contents.keys()
    },
  }
}
