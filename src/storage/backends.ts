// What the stages get: the three ports, and the way to do several writes as one step.
// The composition root (src/backends.ts) decides which adapters these are.
import type { DeliveryJob, ScanJob } from '../mail/job.ts'
import type { JobQueue } from './job-queue.ts'
import type { MessageStore } from './message-store.ts'
import type { RecordStore } from './record-store.ts'

export type Backends = Readonly<{
  messages: MessageStore
  records: RecordStore
  scanJobs: JobQueue<ScanJob>
  deliveryJobs: JobQueue<DeliveryJob>
  /**
   * Does writes in the order given and resolves when all are durable. Embedded: one transaction, one sync, all or
   * none. Elsewhere: one after the other, or some of them as one, so give them in the order that is safe to stop in.
   * The functions must call their port method synchronously.
   */
  together(...writes: readonly (() => Promise<unknown>)[]): Promise<void>
  /**
   * As `together`, but a power cut may undo it, whole and with everything after it: for a step that is simply done
   * again then. The crash of the process alone undoes nothing. Committed at once, and durable soon after.
   */
  provisionally(...writes: readonly (() => Promise<unknown>)[]): Promise<void>
  close(): Promise<void>
}>
