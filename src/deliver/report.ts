// Reports to senders: composed from what became of recipients, and stored as messages of their own by the very write
// that records it, so that there is no failure without its report and no report twice. Each goes straight to delivery:
// we wrote it, nobody needs to scan it.
// Never rejects: a report that cannot be composed is logged and counted as lost, and the outcome is recorded without.
import type { Envelope } from '../mail/envelope.ts'
import { mintQueueId } from '../mail/queue-id.ts'
import type { AcceptedMessage, MessageRecord, TraceEvent } from '../mail/record.ts'
import type { Rate } from '../platform/config-fields.ts'
import type { Log } from '../platform/log.ts'
import type { Metrics } from '../platform/metrics.ts'
import type { Backends } from '../storage/backends.ts'
import type { Content, Draft } from '../storage/message-store.ts'
import { type Due, dueReports, isClean, type Settled } from './dsn.ts'
import { composeReport } from './dsn-message.ts'
import { isReport, readOriginal } from './original.ts'
import { createReportRate } from './report-rate.ts'

export type ReporterOptions = Readonly<{
  backends: Pick<Backends, 'messages' | 'records' | 'deliveryJobs'>
  hostname: string
  /** False: nobody is told of anything. */
  enabled: boolean
  /** Reports to one sender. */
  perSender: Rate
  /** Who is told of a report that cannot be delivered; absent: nobody. */
  doubleBounceTo?: string | undefined
  /** Milliseconds after acceptance: of the delay warning, 0 for none, and of the end. */
  delayWarning: number
  lifetime: number
  log: Log
  metrics: Metrics
}>

export type ReportRequest = Readonly<{
  record: MessageRecord
  content: Content
  /** Outcomes that one write records. */
  settled: readonly Settled[]
  /** Milliseconds since 1970. */
  at: number
}>

type Write = () => Promise<unknown>

/** Reports that are ready to be stored. */
export type Reports = Readonly<{
  /** Before the outcomes' own writes, so that a home without transactions rather tells twice than not at all. */
  store: readonly Write[]
  /** Behind them: what the story of the message says of its reports. */
  note: readonly Write[]
  /** Counts and logs them; to be called when everything was written. */
  tell(): void
  /** Gives back what is not needed because nothing was written. */
  discard(): Promise<void>
}>

export type Reporter = Readonly<{ prepare(request: ReportRequest): Promise<Reports> }>

type Stored = Due & Readonly<{ message: AcceptedMessage; draft: Draft }>

const NOTHING: Reports = { store: [], note: [], tell() {}, async discard() {} }

export function createReporter(options: ReporterOptions): Reporter {
  const { backends, hostname, perSender, doubleBounceTo, delayWarning, lifetime, log, metrics } = options
  const mayTell = createReportRate(perSender)

  async function prepare(request: ReportRequest): Promise<Reports> {
    const { record, settled, at } = request
    const { due, suppressed } = dueReports(record, settled, { delayWarning, at })
    for (const { reason, recipients } of suppressed) {
      metrics.dsnsSuppressed.inc(reason, recipients.length)
      if (reason === 'null-sender') metrics.doubleBounces.inc(recipients.length)
    }
    const stored: Stored[] = []
    for (const one of due) stored.push(...(await lostUnless(request, () => write(request, one))))
    const bounced = suppressed.find(({ reason }) => reason === 'null-sender')
    if (bounced !== undefined && mayTellPostmaster(record)) {
      const double = { action: 'failed', recipients: bounced.recipients } as const
      stored.push(...(await lostUnless(request, () => write(request, double, doubleBounceTo))))
    }
    return stored.length === 0 ? NOTHING : reportsOf(request, stored)
  }

  /** Never of a message to the postmaster: that would go on for ever. */
  function mayTellPostmaster({ message, events }: MessageRecord): boolean {
    if (doubleBounceTo === undefined || !isClean(events)) return false
    return message.envelope.recipients.every(({ address }) => address !== doubleBounceTo)
  }

  async function lostUnless({ record }: ReportRequest, attempt: () => Promise<Stored[]>): Promise<Stored[]> {
    try {
      return await attempt()
    } catch (error) {
      metrics.dsnsLost.inc()
      log.error({ queueId: record.message.queueId, err: error }, 'report-lost')
      return []
    }
  }

  /** The report as a sealed draft; none where it must not be told. */
  async function write({ record, content, at }: ReportRequest, due: Due, postmaster?: string): Promise<Stored[]> {
    const about = record.message
    const { envelope, acceptedAt } = about
    const to = postmaster ?? envelope.reversePath
    // RFC 3461 §4.3: RET is about failures.
    const original = await readOriginal(
      content,
      due.action === 'failed' && (envelope.ret === 'full' || to === postmaster),
    )
    const suppress = (reason: 'report' | 'rate') => {
      metrics.dsnsSuppressed.inc(reason, due.recipients.length)
      return []
    }
    if (postmaster === undefined && isReport(original)) return suppress('report')
    if (!mayTell(to, at)) return suppress('rate')

    const queueId = mintQueueId(at)
    const utf8 = /[^ -~]/.test(to)
    const retryUntil = acceptedAt + lifetime
    const doubleBounce = postmaster !== undefined
    const { envelopeId } = envelope
    const named = { ...(envelopeId !== undefined && { envelopeId }) }
    const text = { ...due, ...named, hostname, acceptedAt, at, retryUntil, utf8, doubleBounce }
    const { content: octets, messageId, body } = composeReport({ ...text, queueId, to, about, original })
    const draft = backends.messages.draft(queueId)
    try {
      await draft.write(octets)
      await draft.seal()
    } catch (error) {
      await draft.discard()
      throw error
    }
    const ours: Envelope = { reversePath: '', recipients: [{ address: to }], smtputf8: utf8, body }
    const client = { address: 'local', port: 0, helo: hostname, esmtp: false }
    const message = { queueId, acceptedAt: at, client, envelope: ours, size: octets.length, messageId }
    return [{ ...due, draft, message }]
  }

  function reportsOf({ record, at }: ReportRequest, stored: readonly Stored[]): Reports {
    const { records, deliveryJobs } = backends
    const { queueId } = record.message
    const events = stored.map(({ action, recipients, message }): TraceEvent => {
      const concerned = recipients.map(({ address }) => address)
      return { at, event: 'reported', action, recipients: concerned, queueId: message.queueId }
    })
    return {
      store: stored.flatMap(({ action, message, draft }): Write[] => {
        const recipients = message.envelope.recipients.map(({ address }) => address)
        const id = `${message.queueId}/delivery/1`
        const accepted: TraceEvent = { at, event: 'accepted', reply: `report on ${queueId}: ${action}` }
        const verdict: TraceEvent = { at, event: 'verdict', decision: 'deliver', why: 'our own report' }
        const job = { kind: 'delivery', id, queueId: message.queueId, recipients, attempt: 1, headers: [] } as const
        return [
          () => draft.commit(),
          () => records.create(message, accepted),
          () => records.note(message.queueId, [verdict], []),
          () => deliveryJobs.enqueue(job),
        ]
      }),
      note: [() => records.note(queueId, events, [])],
      tell() {
        for (const { action, recipients, message } of stored) {
          metrics.dsns.inc(action)
          const { queueId: report, messageId, size, envelope } = message
          const to = envelope.recipients[0]?.address
          log.info({ queueId, action, report, to, recipients: recipients.length, messageId, size }, 'reported')
        }
      },
      async discard() {
        for (const { draft } of stored) await draft.discard()
      },
    }
  }

  return options.enabled ? { prepare } : { prepare: async () => NOTHING }
}
