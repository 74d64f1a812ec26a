// What an operator does with dead letters: jobs whose worker failed or died again and again. After the cause is gone
// they go back on their queue, as if they were new.
import * as z from 'zod'
import type { DeliveryJob, Job, ScanJob } from '../mail/job.ts'
import type { DeadLetter } from '../storage/job-queue.ts'
import { audit, OperationError, type OperationParts, type Operations, operation } from './operation.ts'

export type ListedDeadLetter = Readonly<{
  queueId: string
  jobId: string
  stage: Job['kind']
  recipients: readonly string[]
  why: string
  /** When the job came on its queue, milliseconds since 1970. */
  since: number
}>

const MOST = 1000

export function createDeadLetterOperations(parts: OperationParts): Operations {
  const { backends, now } = parts
  const { scanJobs, deliveryJobs, records, together } = backends

  async function all(): Promise<ListedDeadLetter[]> {
    const [scan, delivery] = await Promise.all([scanJobs.dead(MOST), deliveryJobs.dead(MOST)])
    return [...scan, ...delivery].map(listed).toSorted((a, b) => a.since - b.since)
  }

  /** False when somebody else was faster. */
  async function replay({ jobId, queueId, stage, recipients }: ListedDeadLetter, who: string): Promise<boolean> {
    let replayed = false
    const event = { at: now(), event: 'operator', action: 'redrive', by: who, recipients } as const
    await together(
      () => (stage === 'scan' ? scanJobs : deliveryJobs).redrive(jobId).then(done => (replayed = done)),
      () => records.note(queueId, [event], []),
    )
    if (replayed) audit(parts, { action: 'redrive', who, queueId, recipients })
    return replayed
  }

  return {
    'dlq/list': operation(z.strictObject({}), async () => ({ deadLetters: await all() })),

    'dlq/replay': operation(
      z.strictObject({
        /** Queue ids. */
        ids: z.array(z.string()).min(1).optional(),
        all: z.literal(true).optional(),
        dryRun: z.boolean().optional(),
      }),
      async ({ ids, all: everything, dryRun }, who) => {
        if (ids === undefined && everything === undefined) throw new OperationError(400, 'name queue ids, or say ALL')
        const wanted = new Set(ids?.map(id => id.toUpperCase()))
        const meant = (await all()).filter(({ queueId }) => everything || wanted.has(queueId))
        const known = new Set(meant.map(({ queueId }) => queueId))
        const replayed = dryRun ? meant.map(() => true) : await Promise.all(meant.map(letter => replay(letter, who)))
        return {
          replayed: meant.filter((_, n) => replayed[n]),
          unknown: [...wanted].filter(id => !known.has(id)),
        }
      },
    ),
  }
}

function listed({ job, reason, enqueuedAt }: DeadLetter<ScanJob | DeliveryJob>): ListedDeadLetter {
  const { id, queueId, kind, recipients } = job
  return { queueId, jobId: id, stage: kind, recipients, why: reason, since: enqueuedAt }
}
