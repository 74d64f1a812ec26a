// Messages in a queue, with content, record and job, for the tests of what operators do.
import type { DeliveryJob, Job, ScanJob } from '../../src/mail/job.ts'
import type { Backends } from '../../src/storage/backends.ts'
import type { Home } from '../contract/home.ts'
import { storeMessage } from '../storage/stored-message.ts'

export const HOUR = 3_600_000

/** A message that waits for its second attempt, in an hour. */
export async function storeDeferred(backends: Backends, home: Home, recipients: readonly string[]): Promise<string> {
  const queueId = await store(backends, home, recipients)
  const job = deliveryOf(queueId, recipients, 2)
  const changes = recipients.map(recipient => ({ recipient, state: 'deferred' as const }))
  await backends.together(
    () => backends.records.defer({ job, dueAt: home.now() + HOUR }),
    () => backends.records.note(queueId, [], changes),
  )
  return queueId
}

/** A message with a job that nobody has begun. */
export async function storeQueued(
  backends: Backends,
  home: Home,
  recipients: readonly string[],
  kind: Job['kind'] = 'delivery',
): Promise<string> {
  const queueId = await store(backends, home, recipients)
  if (kind === 'delivery') await backends.deliveryJobs.enqueue(deliveryOf(queueId, recipients))
  else await backends.scanJobs.enqueue(scanOf(queueId, recipients))
  return queueId
}

/** A millisecond after the one before, so that queue ids sort in the order of the calls. */
async function store(backends: Backends, home: Home, recipients: readonly string[]): Promise<string> {
  await home.advance(1)
  return storeMessage(backends, { recipients, acceptedAt: home.now() })
}

function deliveryOf(queueId: string, recipients: readonly string[], attempt = 1): DeliveryJob {
  return { kind: 'delivery', id: `${queueId}/delivery/${attempt}`, queueId, recipients, attempt, headers: [] }
}

function scanOf(queueId: string, recipients: readonly string[]): ScanJob {
  return { kind: 'scan', id: `${queueId}/scan/1`, queueId, recipients, attempt: 1 }
}
