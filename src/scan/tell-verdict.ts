// A verdict's count and its line in the log.
import type { AcceptedMessage, RecipientState } from '../mail/record.ts'
import type { Finding, Verdict } from '../mail/verdict.ts'
import type { Log } from '../platform/log.ts'
import type { Metrics } from '../platform/metrics.ts'

type Scanned = Readonly<{
  message: AcceptedMessage
  recipients: readonly string[]
  /** Where the verdict leaves them. */
  state: RecipientState
  findings: readonly Finding[]
  seconds: number
  /** Milliseconds since 1970. */
  at: number
}>

/** `logClean`: a line for what is delivered as it came, too. */
export function tellVerdict(
  { decision, why }: Verdict,
  { message, recipients, state, findings, seconds, at }: Scanned,
  { log, metrics, logClean }: Readonly<{ log: Log; metrics: Metrics; logClean: boolean }>,
): void {
  metrics.verdicts.inc(decision)
  const passed = decision === 'deliver' || decision === 'tag'
  const unscanned = findings.length === 0 || findings.some(({ kind }) => kind === 'could-not-scan')
  if (passed && unscanned) metrics.unscannedMessages.inc()
  const level = decision === 'deliver' && !logClean ? 'debug' : 'info'
  const { queueId, client, envelope, acceptedAt } = message
  const about = { queueId, decision, state, why, seconds: Number(seconds.toFixed(4)) }
  if (state === 'queued') {
    log[level](about, 'scanned')
    return
  }
  // Mail that is kept from its way: whose it is stands beside it.
  const { address, helo, esmtp } = client
  const delay = (at - acceptedAt) / 1000
  const whose = { client: address, helo, esmtp, reversePath: envelope.reversePath, recipientAddresses: recipients }
  log.info({ ...about, ...whose, delay }, 'scanned')
  if (state === 'discarded') log.info({ queueId, delay }, 'removed')
}
