// Scanning while the client waits for its reply: refuse with a reason, accept with the verdict already known, or, when
// the time is up or a scanner fails, accept and leave it to the scan queue: slow scanners cost latency, never mail.
// Nothing is written here: what is to be written goes into the one step that accepts the message.
import type { BeforeQueueAnswer } from '../mail/before-queue.ts'
import type { AcceptedMessage, TraceEvent } from '../mail/record.ts'
import type { Limit } from '../platform/limit.ts'
import type { Log } from '../platform/log.ts'
import type { Metrics } from '../platform/metrics.ts'
import type { Backends } from '../storage/backends.ts'
import type { Content } from '../storage/message-store.ts'
import { consequenceOf } from './consequence.ts'
import { refusalOf } from './refusal.ts'
import { type ScanResult, scanMessage } from './scan-message.ts'
import type { Scanner } from './scanner.ts'
import type { SignatureWatch } from './signature-watch.ts'
import { tellVerdict } from './tell-verdict.ts'
import { type ScanPolicy, verdict } from './verdict.ts'

export type BeforeQueueOptions = Readonly<{
  backends: Pick<Backends, 'records' | 'deliveryJobs'>
  scanners: readonly Scanner[]
  policy: ScanPolicy
  /** Milliseconds that a client is kept waiting for the scanners: may change while we run. */
  wait: () => number
  limit: Limit
  /** Which signatures do not count as they usually do; none unless given. */
  signatures?: SignatureWatch
  logClean: boolean
  now: () => number
  log: Log
  metrics: Metrics
}>

/** The answer rejects when the content cannot be read: the client then hears 451. */
export function createBeforeQueueScan(options: BeforeQueueOptions) {
  const { scanners, policy, wait, limit, signatures, now, metrics } = options
  const { records, deliveryJobs } = options.backends

  return async function scanBeforeQueue(message: AcceptedMessage, content: Content): Promise<BeforeQueueAnswer> {
    const result = await scanInTime(message, content)
    const answer = result === undefined ? late : await answerTo(message, result)
    metrics.beforeQueue.inc(COUNTED[answer.outcome])
    return answer
  }

  /** Undefined when the time is up. */
  async function scanInTime(message: AcceptedMessage, content: Content): Promise<ScanResult | undefined> {
    const signal = AbortSignal.timeout(wait())
    const timeIsUp = new Promise<undefined>(resolve => signal.addEventListener('abort', () => resolve(undefined)))
    const scan = limit(async () => {
      if (signal.aborted) return undefined
      return await scanMessage({ scanners, message, content, metrics, signal })
    }).catch(error => {
      if (signal.aborted) return undefined
      throw error
    })
    return await Promise.race([scan, timeIsUp])
  }

  async function answerTo(message: AcceptedMessage, { findings, seconds }: ScanResult): Promise<BeforeQueueAnswer> {
    const { queueId } = message
    const exceptions = (await signatures?.look(findings)) ?? {}
    const decided = verdict(findings, policy, exceptions)
    const refusal = refusalOf(findings, decided, policy, exceptions)
    if (refusal !== undefined) return refusal
    const at = now()
    const recipients = message.envelope.recipients.map(({ address }) => address)
    const consequence = consequenceOf(decided, message, recipients, at)
    if (consequence === undefined) return { outcome: 'queue', why: decided.why }
    const { state, events, delivery, removeContent } = consequence
    const story: TraceEvent[] = [
      { at, event: 'scanned', findings, seconds },
      { at, event: 'verdict', decision: decided.decision, why: decided.why },
      ...events,
    ]
    const changes = recipients.map(recipient => ({ recipient, state }))
    const writes = [
      () => records.note(queueId, story, changes),
      ...(delivery === undefined ? [] : [() => deliveryJobs.enqueue(delivery)]),
    ]
    const told = () => tellVerdict(decided, { message, recipients, state, findings, seconds, at }, options)
    return { outcome: 'accept', writes, keepContent: !removeContent, told }
  }
}

const late: BeforeQueueAnswer = { outcome: 'queue', why: 'the scanners took longer than scan.wait' }

const COUNTED = { accept: 'accepted', reject: 'rejected', defer: 'deferred', queue: 'queued' } as const
