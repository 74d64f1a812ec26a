// Port: the scan while a client waits, as ingress sees it. Adapter: scan/before-queue.
import type { BeforeQueueAnswer } from '../mail/before-queue.ts'
import type { AcceptedMessage } from '../mail/record.ts'
import type { Content } from '../storage/message-store.ts'

/** Rejects when the content cannot be read. */
export type BeforeQueueScan = (message: AcceptedMessage, content: Content) => Promise<BeforeQueueAnswer>
