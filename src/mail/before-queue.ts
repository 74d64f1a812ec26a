// What came of scanning a message while its client waits: told by the scan, done by ingress.
import type { Reply } from './reply.ts'

export type BeforeQueueAnswer =
  /** `reply` is told to the client, `why` to the log. */
  | Readonly<{ outcome: 'reject' | 'defer'; reply: Reply; why: string }>
  /** To be written with the record, in this order, instead of a scan job; the content only where it is needed. */
  | Readonly<{
      outcome: 'accept'
      writes: readonly (() => Promise<unknown>)[]
      keepContent: boolean
      /** To be called when they are written: the verdict's count and its line in the log. */
      told(): void
    }>
  /** No verdict in time: accept, and scan from the queue. */
  | Readonly<{ outcome: 'queue'; why: string }>
