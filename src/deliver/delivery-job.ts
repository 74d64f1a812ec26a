// A delivery job's course: claim the recipients, deliver, write each outcome down right after the next hop's answer
// (a second delivery is only possible between those two), and plan what was deferred.
// An outcome and what the job is about from then on are one write, the last outcome and the job's end too: so the
// ledger balances at every moment, and no crash leaves a job behind for what is done.
import type { DeliveryJob } from '../mail/job.ts'
import { isFinal, type MessageRecord, type TraceEvent } from '../mail/record.ts'
import { nextAttemptAt, type RetrySchedule } from '../mail/retry-schedule.ts'
import { crashPoint } from '../platform/crash-point.ts'
import type { Log } from '../platform/log.ts'
import type { Metrics } from '../platform/metrics.ts'
import type { Backends } from '../storage/backends.ts'
import type { Lease } from '../storage/job-queue.ts'
import type { Deliverer } from './deliverer.ts'
import { dsnCode, type Outcome } from './outcome.ts'
import { planDeferral } from './plan-deferral.ts'

export type DeliveryHandlerOptions = Readonly<{
  backends: Backends
  deliverer: Pick<Deliverer, 'deliver'>
  retrySchedule: RetrySchedule
  /** How long a claim on a recipient stands, in milliseconds: longer than any attempt takes. */
  claimTime: number
  now: () => number
  log: Log
  metrics: Metrics
}>

type Write = () => Promise<unknown>

/** The handler for the worker loop on the delivery queue. */
export function createDeliveryHandler(options: DeliveryHandlerOptions) {
  const { backends, deliverer, claimTime, now, log, metrics } = options
  const { records, messages, deliveryJobs, together } = backends

  return async function handleDeliveryJob(lease: Lease<DeliveryJob>, signal: AbortSignal): Promise<void> {
    const { job } = lease
    const { queueId } = job
    const record = await records.get(queueId)
    if (record === undefined) throw new Error(`there is no record of ${queueId} yet`)
    const unfinished = recipientsIn(record, isOpen)
    const wanted = job.recipients.filter(recipient => unfinished.has(recipient))
    const claim = { claimant: lease.token, until: now() + claimTime }
    const recipients = wanted.length === 0 ? [] : await records.claim(queueId, wanted, claim, now())
    if (recipients.length < wanted.length) {
      // By then every claim is over, also those that this lease has just got.
      return deliveryJobs.retry(lease, claimTime, 'another worker holds a claim on a recipient')
    }

    /** Recipients without an outcome that is written down, and what is to be tried again. */
    const unanswered = new Set(recipients)
    const deferred: Outcome[] = []

    async function writeDown(outcomes: readonly Outcome[]): Promise<void> {
      const { again, writes } = settle(record!, job, outcomes, options)
      const answered = new Set(outcomes.map(({ recipient }) => recipient))
      const left = [...unanswered].filter(recipient => !answered.has(recipient))
      const later = [...deferred, ...again]
      if (left.length === 0) {
        await finish(writes, later)
      } else if (writes.length > 0) {
        const still = [...left, ...later.map(({ recipient }) => recipient)]
        await together(...writes, () => deliveryJobs.narrow(lease, still))
      }
      deferred.push(...again)
      for (const recipient of answered) unanswered.delete(recipient)
    }

    /** The last write: what is left becomes a deferral, and the job ends. */
    async function finish(writes: readonly Write[], later: readonly Outcome[]): Promise<void> {
      const plans = later.length === 0 ? [] : planDeferral(record!, job, later, options)
      // Others may have settled the recipients that this job is not about, so these are looked at again.
      const others = unfinished.size > wanted.length ? await records.get(queueId) : undefined
      const mine = new Set(wanted)
      const over =
        later.length === 0 && [...(others ? recipientsIn(others, isOpen) : [])].every(recipient => mine.has(recipient))
      await together(...writes, ...plans, ...(over ? [() => messages.remove(queueId)] : []), () =>
        deliveryJobs.done(lease),
      )
      if (!over) return
      const delay = (now() - record!.message.acceptedAt) / 1000
      metrics.queueProcessingTime.observe(delay)
      log.info({ queueId, delay }, 'removed')
    }

    if (recipients.length === 0) return finish([], [])
    const content = await messages.open(queueId)
    crashPoint('before-delivery')
    const request = { message: record.message, content, recipients, headers: job.headers }
    // One after the other: what is left to do follows from what was written.
    let written: Promise<void> = Promise.resolve()
    await deliverer.deliver(
      request,
      outcomes => {
        crashPoint('after-delivery')
        const mine = written.then(() => writeDown(outcomes)).then(() => crashPoint('after-outcome'))
        written = mine.catch(() => {})
        return mine
      },
      signal,
    )
    // Aborted, or a fault of the deliverer: the job must not end while a recipient has no outcome.
    if (unanswered.size > 0) throw new Error(`${unanswered.size} recipients have no outcome`)
  }
}

type State = MessageRecord['recipients'][number]['state']

const isOpen = (state: State) => !isFinal(state)

function recipientsIn(record: MessageRecord, wanted: (state: State) => boolean): Set<string> {
  return new Set(record.recipients.filter(({ state }) => wanted(state)).map(({ recipient }) => recipient))
}

/** Counts and logs outcomes; what is final among them becomes writes, the rest is to be tried again. */
function settle(
  { message }: MessageRecord,
  { queueId, attempt }: DeliveryJob,
  outcomes: readonly Outcome[],
  { backends: { records }, retrySchedule, now, log, metrics }: DeliveryHandlerOptions,
): Readonly<{ again: Outcome[]; writes: Write[] }> {
  const at = now()
  const expired = nextAttemptAt(retrySchedule, { attempt, acceptedAt: message.acceptedAt, now: at }) === undefined
  const again: Outcome[] = []
  const events: TraceEvent[] = []
  const changes: { recipient: string; state: 'delivered' | 'failed' }[] = []
  for (const outcome of outcomes) {
    const { kind, recipient, nextHop, remoteAddress, reply, seconds } = outcome
    // Only postponed: nobody was asked, so nothing is counted.
    const postponed = outcome.retryAt !== undefined
    if (!postponed) {
      metrics.deliveryAttempts.inc()
      if (attempt > 1) metrics.deliveryRetries.inc()
      metrics.deliveryDuration.observe(seconds)
    }
    const state = kind === 'deferred' && expired ? 'failed' : kind
    if (state === 'delivered') {
      metrics.deliverySuccesses.inc()
      metrics.messagesDelivered.inc()
    } else if (!(postponed && state === 'deferred')) {
      metrics.deliveryFailures.inc(state)
      if (state === 'failed') metrics.messagesFailed.inc()
    }
    const said = state === kind ? reply : `${reply} (given up after the queue lifetime)`
    const dsn = dsnCode({ kind: state, nextHop, reply })
    const times = { seconds: Number(seconds.toFixed(4)), delay: (at - message.acceptedAt) / 1000 }
    log.info({ queueId, recipient, nextHop, remoteAddress, reply: said, dsn, attempt, ...times }, state)
    if (state === 'deferred') {
      again.push(outcome)
      continue
    }
    events.push({ at, event: state, recipient, nextHop, reply: said, seconds })
    changes.push({ recipient, state })
  }
  return { again, writes: events.length > 0 ? [() => records.note(queueId, events, changes)] : [] }
}
