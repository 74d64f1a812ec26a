// One batch of wake-ups from the delivery queue: each job is leased by its id, delivered and settled, all side by side.
// A message stays on the queue only where somebody else has its job, or nobody knows what became of it: everything else
// has its truth in the job's row. What is not done when the time is almost over is called off and given back; what does not
// heed that in time keeps its lease until that runs out.
import type { AwsBackends } from '../../src/backends-aws.ts'
import type { DeliveryJob } from '../../src/mail/job.ts'
import type { Log } from '../../src/platform/log.ts'
import type { JobRun } from '../../src/spool/job-run.ts'

export type SqsRecord = Readonly<{ messageId: string; body: string }>
/** What Lambda keeps on the queue of a batch. */
export type BatchAnswer = Readonly<{ batchItemFailures: readonly Readonly<{ itemIdentifier: string }>[] }>

export type BatchParts = Readonly<{
  queue: Pick<AwsBackends['deliveryJobs'], 'leaseMessage'>
  run: JobRun<DeliveryJob>['run']
  /** Aborted when jobs have to be given back. */
  calledOff: AbortSignal
  /** Aborted when the answer has to be given. */
  over: AbortSignal
  log: Log
}>

/** Never rejects. */
export async function deliverBatch(records: readonly SqsRecord[], parts: BatchParts): Promise<BatchAnswer> {
  const kept = await Promise.all(records.map(record => mustStay(record, parts)))
  return {
    batchItemFailures: records.filter((_, n) => kept[n]).map(({ messageId }) => ({ itemIdentifier: messageId })),
  }
}

async function mustStay({ messageId, body }: SqsRecord, parts: BatchParts): Promise<boolean> {
  const { queue, run, calledOff, over, log } = parts
  try {
    if (calledOff.aborted) return true
    const woken = await queue.leaseMessage(body)
    if ('busyFor' in woken) return woken.busyFor > 0
    return await Promise.race([run(woken.lease, calledOff).then(() => false), aborted(over)])
  } catch (error) {
    log.warn({ messageId, why: String(error) }, 'wake-up-failed')
    return true
  }
}

function aborted(signal: AbortSignal): Promise<true> {
  return new Promise(resolve => {
    if (signal.aborted) resolve(true)
    signal.addEventListener('abort', () => resolve(true), { once: true })
  })
}
