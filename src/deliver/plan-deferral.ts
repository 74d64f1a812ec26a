// Plans what was deferred: the later jobs, and what the message's story says about them. Pure but for the clock passed
// in; the writes belong into the one that ends the job.
// A recipient that was really tried comes again by the retry schedule, as the next attempt. One that was only postponed
// (`retryAt`: its destination is down or busy) comes again then, as the same attempt.
import type { DeliveryJob } from '../mail/job.ts'
import type { MessageRecord, TraceEvent } from '../mail/record.ts'
import { nextAttemptAt, type RetrySchedule } from '../mail/retry-schedule.ts'
import type { Backends } from '../storage/backends.ts'
import { type Outcome, protectionOf } from './outcome.ts'

export type DeferralOptions = Readonly<{
  backends: Pick<Backends, 'records'>
  retrySchedule: RetrySchedule
  now: () => number
}>

type Write = () => Promise<unknown>

/** At most one later job for those tried and one for those postponed; the story says why, by next hop and reply. */
export function planDeferral(
  record: MessageRecord,
  job: DeliveryJob,
  deferred: readonly Outcome[],
  { backends: { records }, retrySchedule, now }: DeferralOptions,
): Write[] {
  const { queueId } = job
  const { acceptedAt } = record.message
  const at = now()
  const tried = deferred.filter(({ retryAt }) => retryAt === undefined)
  const postponed = deferred.filter(({ retryAt }) => retryAt !== undefined)
  const apart = tried.length > 0 && postponed.length > 0
  const writes: Write[] = []
  const events: TraceEvent[] = []

  function plan(outcomes: readonly Outcome[], attempt: number, dueAt: number): void {
    if (outcomes.length === 0) return
    const recipients = outcomes.map(({ recipient }) => recipient)
    const later = { ...job, id: laterId(job, attempt, recipients, apart), attempt, recipients }
    writes.push(() => records.defer({ job: later, dueAt }))
    for (const some of Map.groupBy(outcomes, ({ nextHop, reply }) => `${nextHop} ${reply}`).values()) {
      const { nextHop, reply: why } = some[0]!
      const concerned = some.map(({ recipient }) => recipient)
      const way = { nextHop, ...protectionOf(some[0]!) }
      const event = { at, event: 'deferred', stage: 'delivery', recipients: concerned, why, ...way, dueAt } as const
      if (!isOldNews(record, { ...event, attempt: job.attempt })) events.push({ ...event, attempt: job.attempt })
    }
  }

  // The lifetime was not over when the outcome came in; should it end in between, the next attempt is at once.
  const nextAt = nextAttemptAt(retrySchedule, { attempt: job.attempt, acceptedAt, now: at }) ?? at
  plan(tried, job.attempt + 1, nextAt)
  const soonest = Math.min(...postponed.map(({ retryAt }) => retryAt ?? at))
  plan(postponed, job.attempt, Math.min(Math.max(soonest, at), Math.max(at, acceptedAt + retrySchedule.lifetime)))
  const changes = deferred.map(({ recipient }) => ({ recipient, state: 'deferred' as const }))
  return [...writes, () => records.note(queueId, events, changes)]
}

/**
 * Unique among the jobs of a message. Where they were taken apart once, each goes by a recipient of its own from then
 * on, for a recipient is in one job only.
 */
function laterId({ id, queueId }: DeliveryJob, attempt: number, recipients: readonly string[], apart: boolean): string {
  const plain = `${queueId}/delivery/${attempt}`
  const wasApart = id.split('/').length > plain.split('/').length
  return apart || wasApart ? `${plain}/${recipients.toSorted()[0]}` : plain
}

/** The same was said of the same recipients last time: a destination that is down for days needs no event each time. */
function isOldNews({ events }: MessageRecord, event: Extract<TraceEvent, { event: 'deferred' }>): boolean {
  const last = events.findLast(earlier => earlier.event === 'deferred' && earlier.nextHop === event.nextHop)
  if (last?.event !== 'deferred') return false
  const told = new Set(last.recipients)
  return (
    last.why === event.why &&
    last.attempt === event.attempt &&
    event.recipients.length === told.size &&
    event.recipients.every(recipient => told.has(recipient))
  )
}
