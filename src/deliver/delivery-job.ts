// A delivery job's course: claim the recipients, deliver, put each final dot on record before it goes out and each
// outcome right after the next hop's answer, and plan what was deferred. Between those two writes alone a crash leaves
// it open whether the next hop has the message: such recipients are known as in doubt, and tried again.
// Outcomes do not wait for a sync: only a power cut undoes them, and then they are done again.
// An outcome and what the job is about from then on are one write, the last outcome and the job's end too: so the
// ledger balances at every moment, and no crash leaves a job behind for what is done. Failures wait for that last
// write: one report tells of all of them, and a crash before it only has them refused again.
import type { DeliveryJob } from '../mail/job.ts'
import { isFinal, type MessageRecord, type RecipientStatus, type TraceEvent } from '../mail/record.ts'
import { nextAttemptAt, type RetrySchedule } from '../mail/retry-schedule.ts'
import type { ClockWatch } from '../platform/clock-watch.ts'
import { crashPoint } from '../platform/crash-point.ts'
import type { Log } from '../platform/log.ts'
import type { Metrics } from '../platform/metrics.ts'
import type { Backends } from '../storage/backends.ts'
import type { Lease } from '../storage/job-queue.ts'
import type { Content } from '../storage/message-store.ts'
import type { Deliverer } from './deliverer.ts'
import { countOutcome } from './delivery-metrics.ts'
import type { DotMark } from './dot-mark.ts'
import type { Settled } from './dsn.ts'
import { noteDoubts, tellDoubt } from './in-doubt.ts'
import { dsnCode, type Outcome, protectionOf } from './outcome.ts'
import { planDeferral } from './plan-deferral.ts'
import { releasedEvents } from './released.ts'
import type { Reporter } from './report.ts'

export type DeliveryHandlerOptions = Readonly<{
  backends: Backends
  deliverer: Pick<Deliverer, 'deliver'>
  reporter: Reporter
  retrySchedule: RetrySchedule
  /** While it does not believe ages nobody is given up. */
  clock?: ClockWatch
  /** How long a claim on a recipient stands, in milliseconds: longer than any attempt takes. */
  claimTime: number
  now: () => number
  log: Log
  metrics: Metrics
}>

type Write = () => Promise<unknown>

/** The handler for the worker loop on the delivery queue. */
export function createDeliveryHandler(options: DeliveryHandlerOptions) {
  const { backends, deliverer, reporter, claimTime, now, log, metrics } = options
  const { records, messages, deliveryJobs, provisionally } = backends

  function current(): DeliveryHandlerOptions {
    if (options.clock?.believed() !== false) return options
    return { ...options, retrySchedule: { ...options.retrySchedule, lifetime: Number.POSITIVE_INFINITY } }
  }

  return async function handleDeliveryJob(lease: Lease<DeliveryJob>, signal: AbortSignal): Promise<void> {
    const { job } = lease
    const { queueId } = job
    const record = await records.get(queueId)
    if (record === undefined) throw new Error(`there is no record of ${queueId} yet`)
    const unfinished = recipientsIn(record, isOpen)
    const wanted = job.recipients.filter(recipient => unfinished.has(recipient))
    // Before the claim: a job that fails under it finds its own claim in its way when it is tried again.
    const content = wanted.length === 0 ? undefined : await messages.open(queueId)
    const claim = { claimant: lease.token, until: now() + claimTime }
    const claimed = wanted.length === 0 ? [] : await records.claim(queueId, wanted, claim, now())
    if (claimed.length < wanted.length) {
      // By then every claim is over, also those that this lease has just got.
      return deliveryJobs.retry(lease, claimTime, 'another worker holds a claim on a recipient')
    }

    await noteDoubts(job, claimed, options)
    const recipients = claimed.map(({ recipient }) => recipient)

    const marked = new Set<string>()
    const mark: DotMark = {
      async set(some, nextHop) {
        await records.sending(queueId, some, { claimant: lease.token, attempt: job.attempt, at: now(), nextHop })
        for (const recipient of some) marked.add(recipient)
        crashPoint('after-dot-mark')
      },
      clear: some => records.unmark(queueId, some, lease.token).catch(() => {}),
    }

    /** Recipients without an outcome that is written down, and what the last write is to settle. */
    const unanswered = new Set(recipients)
    const pending: Settled[] = []

    async function writeDown(outcomes: readonly Outcome[], content: Content): Promise<void> {
      for (const outcome of outcomes) if (outcome.inDoubt) tellDoubt(job, outcome, options)
      const settled = outcomes.map(outcome => settle(record!, outcome, current()))
      const delivered = settled.filter(({ state }) => state === 'delivered')
      const others = settled.filter(({ state }) => state !== 'delivered')
      for (const one of others) if (one.state === 'deferred') tell(record!, job, one, options)
      const answered = new Set(outcomes.map(({ recipient }) => recipient))
      const left = [...unanswered].filter(recipient => !answered.has(recipient))
      const waiting = [...pending, ...others]
      if (left.length === 0) {
        await finish([...delivered, ...waiting], content)
      } else if (delivered.length > 0) {
        const still = [...left, ...waiting.map(({ outcome }) => outcome.recipient)]
        await write(delivered, content, [() => deliveryJobs.narrow(lease, still)])
      }
      // Their outcome waits for the last write; that the next hop has answered does not.
      const answers = others.map(({ outcome }) => outcome.recipient).filter(recipient => marked.has(recipient))
      if (left.length > 0 && answers.length > 0) await mark.clear(answers)
      pending.push(...others)
      for (const recipient of answered) unanswered.delete(recipient)
    }

    /** The last write: what was deferred becomes later jobs, and this one ends. */
    async function finish(settled: readonly Settled[], content?: Content): Promise<void> {
      const deferred = settled.filter(({ state }) => state === 'deferred').map(({ outcome }) => outcome)
      const plans = deferred.length === 0 ? [] : planDeferral(record!, job, deferred, current())
      // Others may have settled the recipients that this job is not about, so these are looked at again.
      const others = unfinished.size > wanted.length ? await records.get(queueId) : undefined
      const mine = new Set(wanted)
      const over =
        deferred.length === 0 &&
        [...(others ? recipientsIn(others, isOpen) : [])].every(recipient => mine.has(recipient))
      await write(settled, content, [
        ...plans,
        ...(over ? [() => messages.remove(queueId)] : []),
        () => deliveryJobs.done(lease),
      ])
      if (!over) return
      const delay = (now() - record!.message.acceptedAt) / 1000
      metrics.queueProcessingTime.observe(delay, { queueId })
      log.info({ queueId, delay }, 'removed')
    }

    /** Outcomes with the reports of them, and what follows, as one. */
    async function write(settled: readonly Settled[], content: Content | undefined, follow: readonly Write[]) {
      const at = now()
      const ends = settled.filter(({ state }) => state !== 'deferred')
      const reports = content && (await reporter.prepare({ record: record!, content, settled, at }))
      const events = [...ends.map(eventOf(at)), ...releasedEvents(job, ends, at)]
      for (const one of ends) tell(record!, job, one, options)
      try {
        // The process may die right behind the next hop's answer: that must not wait for a sync. What a power cut undoes
        // is done again.
        await provisionally(
          ...(reports?.store ?? []),
          ...(ends.length === 0 ? [] : [() => records.note(queueId, events, ends.map(changeOf))]),
          ...(reports?.note ?? []),
          ...follow,
        )
      } catch (error) {
        await reports?.discard()
        throw error
      }
      reports?.tell()
    }

    if (content === undefined) return finish([])
    crashPoint('before-delivery')
    const request = { message: record.message, content, recipients, headers: job.headers, to: job.to, mark }
    // One after the other: what is left to do follows from what was written.
    let written: Promise<void> = Promise.resolve()
    await deliverer.deliver(
      request,
      outcomes => {
        crashPoint('before-ledger')
        const mine = written.then(() => writeDown(outcomes, content)).then(() => crashPoint('after-outcome'))
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

/** A deferral behind the lifetime is a failure (RFC 3463: delivery time expired). */
function settle({ message }: MessageRecord, outcome: Outcome, options: DeliveryHandlerOptions): Settled {
  const { kind, reply } = outcome
  const { retrySchedule, now } = options
  const times = { attempt: 1, acceptedAt: message.acceptedAt, now: now() }
  if (kind !== 'deferred' || nextAttemptAt(retrySchedule, times) !== undefined) {
    return { outcome, state: kind, status: dsnCode(outcome), said: reply }
  }
  return { outcome, state: 'failed', status: '5.4.7', said: `${reply} (given up after the queue lifetime)` }
}

/** Counts and logs. */
function tell({ message }: MessageRecord, job: DeliveryJob, settled: Settled, options: DeliveryHandlerOptions): void {
  const { queueId, attempt } = job
  const { outcome, state, status, said } = settled
  const { recipient, nextHop, remoteAddress, seconds } = outcome
  const { now, log } = options
  countOutcome(message, job, settled, options)
  const times = { seconds: Number(seconds.toFixed(4)), delay: (now() - message.acceptedAt) / 1000 }
  const way = { nextHop, remoteAddress, ...protectionOf(outcome) }
  log.info({ queueId, recipient, ...way, reply: said, dsn: status, attempt, ...times }, state)
}

function eventOf(at: number): (settled: Settled) => TraceEvent {
  return ({ outcome, state, said }) => {
    const { recipient, nextHop, seconds } = outcome
    const event = state === 'delivered' ? 'delivered' : 'failed'
    return { at, event, recipient, nextHop, reply: said, seconds, ...protectionOf(outcome) }
  }
}

function changeOf({ outcome: { recipient }, state }: Settled): RecipientStatus {
  return { recipient, state }
}
