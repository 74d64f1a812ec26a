// A scan job's course: read the message, ask the scanners, decide, write the decision down, hand on.
// Everything that follows from one verdict is one write, so no crash can leave half of it. Nothing is passed on
// that a required scanner has not seen: the job is deferred and tried again. What a person releases from quarantine is
// scanned as everything else, and not caught again for what it was caught for.
import { nextJobId, type Release, type ScanJob } from '../mail/job.ts'
import { isFinal, type MessageRecord, type RecipientState, type TraceEvent } from '../mail/record.ts'
import { nextAttemptAt, type RetrySchedule } from '../mail/retry-schedule.ts'
import type { Finding, Verdict } from '../mail/verdict.ts'
import { crashPoint } from '../platform/crash-point.ts'
import type { Limit } from '../platform/limit.ts'
import type { Log } from '../platform/log.ts'
import type { Metrics } from '../platform/metrics.ts'
import type { Backends } from '../storage/backends.ts'
import type { Lease } from '../storage/job-queue.ts'
import { consequenceOf } from './consequence.ts'
import { reasonsFor, verdictOnRelease } from './released.ts'
import { scanMessage } from './scan-message.ts'
import type { Scanner } from './scanner.ts'
import type { SignatureWatch } from './signature-watch.ts'
import { tellVerdict } from './tell-verdict.ts'
import { type ScanPolicy, verdict } from './verdict.ts'

export type ScanHandlerOptions = Readonly<{
  backends: Backends
  scanners: readonly Scanner[]
  policy: ScanPolicy
  retrySchedule: RetrySchedule
  /** Bounds the messages that the scanners have at the same time. */
  limit: Limit
  /** Which signatures do not count as they usually do; none unless given. */
  signatures?: SignatureWatch
  /** Why a release does not count, undefined when it does; none counts unless given. */
  releaseFault?: (job: ScanJob & { release: Release }, now: number) => string | undefined
  /** A line in the log for what is delivered as it came, too. */
  logClean: boolean
  now: () => number
  log: Log
  metrics: Metrics
}>

type Write = () => Promise<unknown>

/** Milliseconds that a release has to be written down, in which its job may come first. After that it never was. */
const PAUSES = [500, 2000, 8000, 30_000]

/** The handler for the worker loop on the scan queue. */
export function createScanHandler(options: ScanHandlerOptions) {
  const { backends, scanners, limit, now, metrics } = options

  return async function handleScanJob(lease: Lease<ScanJob>, signal: AbortSignal): Promise<void> {
    const { queueId } = lease.job
    const record = await backends.records.get(queueId)
    if (record === undefined) throw new Error(`there is no record of ${queueId} yet`)
    const waiting = unfinished(record, lease.job)
    if (waiting.length === 0) {
      const isEarly = isUnwritten(record, lease.job) && lease.tries <= PAUSES.length
      return isEarly
        ? backends.scanJobs.retry(lease, PAUSES[lease.tries - 1]!, 'the release is not written down yet')
        : backends.scanJobs.done(lease)
    }

    const content = await backends.messages.open(queueId)
    crashPoint('before-scan')
    const { message } = record
    const { findings, seconds } = await limit(() => scanMessage({ scanners, message, content, metrics, signal }))
    const at = now()
    const decided = await decide(lease.job, record, waiting, findings, at, options)
    crashPoint('after-scan')

    const story: TraceEvent[] = [
      { at, event: 'scanned', findings, seconds },
      { at, event: 'verdict', decision: decided.decision, why: decided.why },
    ]
    // A verdict that a power cut undoes is reached again; what a discard removes is gone for good.
    const write = decided.decision === 'discard' ? backends.together : backends.provisionally
    const { state, writes } = writesFor(decided, record, waiting, lease, story, at, options)
    await write(...writes)
    crashPoint('after-verdict')
    if (lease.job.release !== undefined && state === 'quarantined') metrics.releasesRefused.inc(waiting.length)
    tellVerdict(decided, { message, recipients: waiting, state, findings, seconds, at }, options)
  }
}

function unfinished({ recipients }: MessageRecord, job: ScanJob): string[] {
  // A release that has led back into quarantine is used up, should its job come again.
  const isOver = (state: RecipientState) => isFinal(state) || (job.release !== undefined && state === 'quarantined')
  const open = new Set(recipients.filter(({ state }) => !isOver(state)).map(({ recipient }) => recipient))
  return job.recipients.filter(recipient => open.has(recipient))
}

/**
 * A release's job is enqueued before its recipients are moved out of quarantine, so that a crash between the two leaves them
 * there. Where the two are no single write, a worker may have the job in between.
 */
function isUnwritten({ recipients, events }: MessageRecord, { release, recipients: released }: ScanJob): boolean {
  const at = events.findIndex(event => {
    return event.event === 'operator' && event.action === 'release' && event.at === release?.at
  })
  const since = at < 0 ? [] : events.slice(at)
  const isBack = (recipient: string) =>
    since.some(event => event.event === 'quarantined' && event.recipients.includes(recipient))
  return recipients.some(
    ({ recipient, state }) => state === 'quarantined' && released.includes(recipient) && !isBack(recipient),
  )
}

async function decide(
  job: ScanJob,
  record: MessageRecord,
  recipients: readonly string[],
  findings: readonly Finding[],
  at: number,
  { policy, signatures, releaseFault }: ScanHandlerOptions,
): Promise<Verdict> {
  const exceptions = (await signatures?.look(findings)) ?? {}
  const { release } = job
  if (release === undefined) return verdict(findings, policy, exceptions)
  const fault = releaseFault === undefined ? 'releases are not taken here' : releaseFault({ ...job, release }, at)
  const released = fault === undefined ? reasonsFor(record, recipients, release.at, policy) : []
  return verdictOnRelease(verdict(findings, policy, { ...exceptions, released }), release, fault)
}

/** Where the verdict leaves the recipients, and what it changes, in the order that is safe to stop in. */
function writesFor(
  decided: Verdict,
  { message, recipients: all }: MessageRecord,
  recipients: readonly string[],
  lease: Lease<ScanJob>,
  story: readonly TraceEvent[],
  at: number,
  { backends: { records, messages, scanJobs, deliveryJobs }, retrySchedule }: ScanHandlerOptions,
): Readonly<{ state: RecipientState; writes: Write[] }> {
  const { job } = lease
  const { queueId } = job
  const note = (events: readonly TraceEvent[], state: RecipientState): Write => {
    const changes = recipients.map(recipient => ({ recipient, state }))
    return () => records.note(queueId, [...story, ...events], changes)
  }
  const done: Write = () => scanJobs.done(lease)

  const consequence = consequenceOf(decided, message, recipients, at, job)
  if (consequence !== undefined) {
    const { state, events, delivery, removeContent } = consequence
    // Others may be held or in quarantine, whom the content is still for.
    const isLast = all.every(one => isFinal(one.state) || recipients.includes(one.recipient))
    const writes = [
      ...(delivery === undefined ? [] : [() => deliveryJobs.enqueue(delivery)]),
      note(events, state),
      ...(removeContent && isLast ? [() => messages.remove(queueId)] : []),
      done,
    ]
    return { state, writes }
  }
  const { why } = decided
  const { attempt } = job
  const dueAt = nextAttemptAt(retrySchedule, { attempt, acceptedAt: message.acceptedAt, now: at })
  if (dueAt === undefined) {
    const expired = `${why}; given up after the queue lifetime`
    return { state: 'held', writes: [note([{ at, event: 'held', recipients, why: expired }], 'held'), done] }
  }
  const later = { ...job, id: nextJobId(job), attempt: attempt + 1, recipients }
  const event = { at, event: 'deferred', stage: 'scan', recipients, why, attempt, dueAt } as const
  return { state: 'deferred', writes: [() => records.defer({ job: later, dueAt }), note([event], 'deferred'), done] }
}
