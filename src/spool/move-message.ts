// Moves one message with all that belongs to it from one home to another: content, record, marks, deferrals, jobs, dead
// letters. In an order that is safe to stop in, and to begin again: the target has everything before it may work on the
// message, which its record says (`operator`, action `moved`); only then the source lets go of it. Nobody may work on the
// message at the source meanwhile; at the target, whoever likes.
import type { Deferral, DeliveryJob, Job, ScanJob } from '../mail/job.ts'
import { isFinal, type MessageRecord, type TraceEvent } from '../mail/record.ts'
import type { Backends } from '../storage/backends.ts'
import type { JobQueue, Lease } from '../storage/job-queue.ts'
import { ContentMissingError } from '../storage/message-store.ts'

export type MoveParts = Readonly<{
  source: Backends
  target: Backends
  /** Names of the homes, for people. */
  from: string
  to: string
  by: string
  /** Reasons of the source's dead letters by their ids. */
  dead: ReadonlyMap<string, string>
  now: () => number
}>

/** `in-work`: somebody has a job of it, and nothing was moved. Numbers are recipients. */
export type Moved =
  | Readonly<{ outcome: 'moved'; recipients: number; open: number }>
  | Readonly<{ outcome: 'in-work' }>
  | Readonly<{ outcome: 'no-content' }>

export const MOVED = 'moved'
/** Written one by one where several writes are not one. */
const EVENTS_AT_ONCE = 20
/** Milliseconds: enough to write a mark. */
const CLAIM = 60_000

type Leases = Readonly<{ scans: readonly Lease<ScanJob>[]; deliveries: readonly Lease<DeliveryJob>[] }>

/** Rejects where a home fails, with the source as it was or the target ready: the next run goes on from there. */
export async function moveMessage(record: MessageRecord, parts: MoveParts): Promise<Moved> {
  const { source } = parts
  const { queueId } = record.message
  const deferrals = await source.records.deferralsOf(queueId)
  const scans = await source.scanJobs.leaseOf(queueId)
  const leases = { scans, deliveries: await source.deliveryJobs.leaseOf(queueId) }
  try {
    const outcome = await moveLeased(record, deferrals, leases, parts)
    if (outcome.outcome !== 'moved') await giveBack(leases, parts)
    return outcome
  } catch (error) {
    await giveBack(leases, parts).catch(() => {})
    throw error
  }
}

async function moveLeased(
  record: MessageRecord,
  deferrals: readonly Deferral[],
  { scans, deliveries }: Leases,
  parts: MoveParts,
): Promise<Moved> {
  const { source, target } = parts
  const { queueId } = record.message
  const open = openRecipients(record)
  const accounted = new Set([...scans, ...deliveries, ...deferrals].flatMap(({ job }) => job.recipients))
  const isOurs = record.recipients.every(({ recipient, state }) => state !== 'queued' || accounted.has(recipient))
  if (!isOurs) return { outcome: 'in-work' }
  const before = await target.records.get(queueId)
  if (!before?.events.some(event => isMove(event, parts))) {
    if (!(await copyContent(queueId, parts))) return { outcome: 'no-content' }
    await copyRecord(record, before, parts)
    for (const deferral of deferrals) await target.records.defer(deferral)
    await target.records.note(queueId, [moveEvent(open, parts)], [])
  }
  await handOver(queueId, scans, target.scanJobs, parts)
  await handOver(queueId, deliveries, target.deliveryJobs, parts)

  const changes = open.map(recipient => ({ recipient, state: 'deleted' as const }))
  await source.together(
    () => source.records.note(queueId, [moveEvent(open, parts)], changes),
    ...deferrals.map(
      ({ job }) =>
        () =>
          source.records.undefer(job.id),
    ),
    ...scans.map(lease => () => source.scanJobs.done(lease)),
    ...deliveries.map(lease => () => source.deliveryJobs.done(lease)),
    () => source.messages.remove(queueId),
  )
  return { outcome: 'moved', recipients: record.recipients.length, open: open.length }
}

export function openRecipients({ recipients }: MessageRecord): string[] {
  return recipients.filter(({ state }) => !isFinal(state)).map(({ recipient }) => recipient)
}

function moveEvent(recipients: readonly string[], { from, to, by, now }: MoveParts): TraceEvent {
  return { at: now(), event: 'operator', action: MOVED, by, recipients, why: `from ${from} to ${to}` }
}

function isMove(event: TraceEvent, { from, to }: MoveParts): boolean {
  return event.event === 'operator' && event.action === MOVED && event.why === `from ${from} to ${to}`
}

/** As they were: dead letters too. */
async function giveBack({ scans, deliveries }: Leases, { source, dead }: MoveParts): Promise<void> {
  async function back<J extends Job>(queue: JobQueue<J>, leases: readonly Lease<J>[]): Promise<void> {
    for (const lease of leases) {
      const reason = dead.get(lease.job.id)
      await (reason === undefined ? queue.release(lease) : queue.deadLetter(lease, reason))
    }
  }
  await back(source.scanJobs, scans)
  await back(source.deliveryJobs, deliveries)
}

/** False when the source does not have it. What an earlier run has stored is not stored again. */
async function copyContent(queueId: string, { source, target }: MoveParts): Promise<boolean> {
  const content = await found(source.messages.open(queueId))
  const there = await found(target.messages.open(queueId))
  if (content === undefined) return there !== undefined
  if (there?.size === content.size) return true
  const draft = target.messages.draft(queueId)
  try {
    for await (const chunk of content.chunks()) await draft.write(chunk)
    await draft.seal()
    await draft.commit()
    return true
  } finally {
    await draft.discard()
  }
}

async function found<T>(opening: Promise<T>): Promise<T | undefined> {
  return opening.catch(error => {
    if (error instanceof ContentMissingError) return undefined
    throw error
  })
}

/** What the target lacks of it. */
async function copyRecord(record: MessageRecord, before: MessageRecord | undefined, parts: MoveParts): Promise<void> {
  const { source, target, now } = parts
  const { message, recipients, events } = record
  const { queueId } = message
  if (before === undefined) await target.records.create(message, events[0]!)
  for (let from = Math.max(1, before?.events.length ?? 1); from < events.length; from += EVENTS_AT_ONCE) {
    await target.records.note(queueId, events.slice(from, from + EVENTS_AT_ONCE), [])
  }
  await target.records.note(
    queueId,
    [],
    recipients.filter(({ state }) => state !== 'queued'),
  )
  // Over at once: only the marks are asked for.
  const claimed = await source.records.claim(queueId, openRecipients(record), { claimant: MOVED, until: now() }, now())
  for (const { recipient, sending } of claimed) {
    if (sending === undefined) continue
    const claim = { claimant: sending.claimant, until: now() + CLAIM }
    await target.records.claim(queueId, [recipient], claim, now())
    await target.records.sending(queueId, [recipient], sending)
    await target.records.claim(queueId, [recipient], { ...claim, until: now() }, now())
  }
}

/** Jobs that the target may have had already are put there again only for recipients that still wait for one. */
async function handOver<J extends Job>(
  queueId: string,
  leases: readonly Lease<J>[],
  queue: JobQueue<J>,
  { target, dead }: MoveParts,
): Promise<void> {
  if (leases.length === 0) return
  const record = await target.records.get(queueId)
  const waiting = new Set(
    record?.recipients.filter(({ state }) => state === 'queued').map(({ recipient }) => recipient),
  )
  for (const { job } of leases) {
    if (!job.recipients.some(recipient => waiting.has(recipient))) continue
    await queue.enqueue(job)
    const reason = dead.get(job.id)
    if (reason === undefined) continue
    // A worker that was quicker tries it once more.
    for (const lease of await queue.leaseOf(queueId)) {
      await (lease.job.id === job.id ? queue.deadLetter(lease, reason) : queue.release(lease))
    }
  }
}
