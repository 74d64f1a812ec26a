// A job that crashed its workers too often leaves the way of the others: kept with its reason, told in the message's
// story and counted, so that an operator can look at it and put it back.
import type { Job } from '../mail/job.ts'
import type { Log } from '../platform/log.ts'
import type { Metrics } from '../platform/metrics.ts'
import type { Backends } from '../storage/backends.ts'
import type { JobQueue, Lease } from '../storage/job-queue.ts'

type GiveUpOptions = Readonly<{
  backends: Pick<Backends, 'records' | 'together'>
  now: () => number
  log: Log
  metrics: Metrics
}>

/** The `giveUp` of a worker loop on `queue`. */
export function createGiveUp<J extends Job>(queue: JobQueue<J>, { backends, now, log, metrics }: GiveUpOptions) {
  const { records, together } = backends
  return async (lease: Lease<J>, why: string): Promise<void> => {
    const { queueId, kind: stage, recipients } = lease.job
    await together(
      () => records.note(queueId, [{ at: now(), event: 'dead-letter', stage, recipients, why }], []),
      () => queue.deadLetter(lease, why),
    )
    metrics.deadLetters.inc(stage)
    log.error({ queueId, stage, why }, 'dead-letter')
  }
}
