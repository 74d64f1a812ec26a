// What failures between two writes leave behind, in a home where several writes are not one: contents that no record
// names, contents whose recipients have all come to their end, messages that were begun to be accepted (record, but never
// a job: the client had no 250 and has sent again). These go. What should never be is told and left alone: a record that
// waits without its content, a recipient that waits without a job. Young ones are somebody's work in progress.
// Any number of passes may run beside each other and beside the gateway; what one fails at is the next one's.
import { isFinal, type MessageRecord } from '../mail/record.ts'
import type { Log } from '../platform/log.ts'
import type { Backends } from '../storage/backends.ts'
import { ContentMissingError, type MessageStore } from '../storage/message-store.ts'

export type OrphanParts = Readonly<{
  backends: Readonly<{
    records: Pick<Backends['records'], 'get' | 'note' | 'listRecipients' | 'deferralsOf'>
    messages: Pick<MessageStore, 'open' | 'remove'> &
      Readonly<{ stored(): AsyncIterable<Readonly<{ queueId: string; storedAt: number }>> }>
    /** Jobs of a message, leased or not, dead or not. */
    hasJobs(queueId: string): Promise<boolean>
  }>
  now: () => number
  log: Log
  /** Milliseconds: longer than any session. */
  minAge?: number
  /** Looks only at contents stored in so many milliseconds before that; all, unless given. Costs a read for each. */
  window?: number
  signal?: AbortSignal
}>

/** Messages. */
export type Orphans = Readonly<{ removed: number; missing: number; stuck: number }>

const MIN_AGE = 2 * 3_600_000
/** Looked at beside each other. */
const BATCH = 20
const PAGE = 500
const WAITING = ['queued', 'deferred', 'held', 'quarantined'] as const

type Found = 'fine' | 'removed' | 'stuck'

/** One pass. */
export async function sweepOrphans({ minAge = MIN_AGE, ...parts }: OrphanParts): Promise<Orphans> {
  const { backends, now, log, signal, window = Number.POSITIVE_INFINITY } = parts
  const began = now()
  const stored = new Set<string>()
  const found: Record<Found, number> = { fine: 0, removed: 0, stuck: 0 }
  let batch: Promise<Found>[] = []
  async function settle() {
    for (const what of await Promise.all(batch)) found[what]++
    batch = []
  }
  for await (const { queueId, storedAt } of backends.messages.stored()) {
    if (signal?.aborted) break
    stored.add(queueId)
    const age = began - storedAt
    if (age < minAge || age > minAge + window) continue
    batch.push(lookAt(parts, queueId, began - minAge))
    if (batch.length === BATCH) await settle()
  }
  await settle()
  const missing = signal?.aborted ? 0 : await findMissing(parts, stored, began - minAge)
  const orphans = { removed: found.removed, missing, stuck: found.stuck }
  if (orphans.removed + orphans.missing + orphans.stuck > 0) log.warn(orphans, 'orphans-swept')
  return orphans
}

async function lookAt(parts: OrphanParts, queueId: string, before: number): Promise<Found> {
  const { backends, log } = parts
  const { records, messages } = backends
  const record = await records.get(queueId)
  const waiting = record && openRecipients(record)
  if (waiting?.length === 0 || record === undefined) {
    await messages.remove(queueId)
    log.warn({ queueId, why: record ? 'all recipients have come to their end' : 'no record' }, 'orphan-removed')
    return 'removed'
  }
  if (record.events.at(-1)!.at > before || !(await isWithoutJob(parts, queueId))) return 'fine'
  // Whoever finishes a job writes first what became of it: what the job did meanwhile is seen now.
  const again = await records.get(queueId)
  const queued = again?.recipients.filter(({ state }) => state === 'queued').map(({ recipient }) => recipient) ?? []
  if (again === undefined || again.events.length > record.events.length || queued.length === 0) return 'fine'
  if (again.events.length > 1) {
    log.error({ queueId, recipients: queued.length }, 'message-without-job')
    return 'stuck'
  }
  await giveUp(parts, queueId, queued)
  return 'removed'
}

function openRecipients({ recipients }: MessageRecord): string[] {
  return recipients.filter(({ state }) => !isFinal(state)).map(({ recipient }) => recipient)
}

/** In this order: a job that is deferred meanwhile leaves an event, which is looked at after this. */
async function isWithoutJob({ backends }: OrphanParts, queueId: string): Promise<boolean> {
  if (await backends.hasJobs(queueId)) return false
  return (await backends.records.deferralsOf(queueId)).length === 0
}

/** Accepting it was never finished. */
async function giveUp({ backends, now, log }: OrphanParts, queueId: string, recipients: string[]): Promise<void> {
  const why = 'accepting it failed half-way: the client was told 451'
  const event = { at: now(), event: 'operator', action: 'delete', by: 'sweep', recipients, why } as const
  const changes = recipients.map(recipient => ({ recipient, state: 'deleted' as const }))
  await backends.records.note(queueId, [event], changes)
  await backends.messages.remove(queueId)
  log.warn({ queueId, why }, 'orphan-removed')
}

/** Messages that wait, and whose content is nowhere. */
async function findMissing({ backends, log, signal }: OrphanParts, stored: ReadonlySet<string>, before: number) {
  const { records, messages } = backends
  let missing = 0
  let last = ''
  for (let after: string | undefined; !signal?.aborted; ) {
    const page = await records.listRecipients(
      { states: WAITING, before },
      { limit: PAGE, ...(after !== undefined && { after }) },
    )
    for (const { queueId } of page.recipients) {
      if (queueId === last || stored.has(queueId)) continue
      last = queueId
      const isThere = await messages.open(queueId).then(
        () => true,
        error => {
          if (error instanceof ContentMissingError) return false
          throw error
        },
      )
      const record = isThere ? undefined : await records.get(queueId)
      if (record === undefined || openRecipients(record).length === 0) continue
      missing++
      log.error({ queueId, recipients: openRecipients(record).length }, 'content-missing')
    }
    after = page.next
    if (after === undefined) break
  }
  return missing
}
