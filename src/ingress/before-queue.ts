// Port: the scan while a client waits, as ingress sees it. Adapter: scan/before-queue.
import type { AcceptedMessage } from '../mail/record.ts'
import type { Reply } from '../mail/reply.ts'
import type { Content } from '../storage/message-store.ts'

export type BeforeQueueAnswer =
  | Readonly<{ outcome: 'reject' | 'defer'; reply: Reply; why: string }>
  /** Writes that go with the record, instead of a scan job; the content only where it is needed. */
  | Readonly<{
      outcome: 'accept'
      writes: readonly (() => Promise<unknown>)[]
      keepContent: boolean
      /** To be called when they are written: the verdict's count and its line in the log. */
      told(): void
    }>
  /** No verdict in time: accept, and scan from the queue. */
  | Readonly<{ outcome: 'queue'; why: string }>

/** Rejects when the content cannot be read. */
export type BeforeQueueScan = (message: AcceptedMessage, content: Content) => Promise<BeforeQueueAnswer>
