// A message store for a process that reads each content twice in short order, to scan it and to deliver it: small ones stay
// in memory from the first reading to the second, a minute at most: after that only the store can say what it has.
import type { Content, MessageStore } from './message-store.ts'

/** Milliseconds. */
const LONGEST = 60_000
/** Octets of a content, and of all that are kept. */
const LARGEST = 128 * 1024
const MOST = 32 * 1024 * 1024

export function readOnce<M extends MessageStore>(messages: M): M {
  /** The oldest first. */
  const kept = new Map<string, { content: Content; at: number }>()
  let octets = 0

  function drop(queueId: string): Content | undefined {
    const found = kept.get(queueId)
    if (found === undefined) return undefined
    kept.delete(queueId)
    octets -= found.content.size
    return performance.now() - found.at < LONGEST ? found.content : undefined
  }

  function keep(queueId: string, content: Content): void {
    if (content.size > LARGEST) return
    drop(queueId)
    kept.set(queueId, { content, at: performance.now() })
    octets += content.size
    for (const oldest of kept.keys()) {
      if (octets <= MOST) break
      drop(oldest)
    }
  }

  return {
    ...messages,
    async open(queueId) {
      const before = drop(queueId)
      if (before !== undefined) return before
      const content = await messages.open(queueId)
      keep(queueId, content)
      return content
    },
    remove(queueId) {
      drop(queueId)
      return messages.remove(queueId)
    },
  }
}
