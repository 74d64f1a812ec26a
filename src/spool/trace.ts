// A message's story as text for people: one line a step, with times, the scanners' answers and the next hop's reply.
import type { MessageRecord, Protection, TraceEvent } from '../mail/record.ts'
import type { Finding } from '../mail/verdict.ts'

const SHOWN_RECIPIENTS = 5

/** The whole story, newline-terminated. Times are UTC; `+` is the time since acceptance. */
export function formatTrace({ message, recipients, events }: MessageRecord): string {
  const { queueId, acceptedAt, client, envelope, size, messageId, priority } = message
  const helo = client.helo === '' ? '' : ` (${client.helo})`
  const lines = [
    queueId,
    `  from       <${envelope.reversePath}>`,
    `  to         ${shorten(envelope.recipients.map(({ address }) => `<${address}>`))}`,
    `  client     ${client.address}${helo}${client.user === undefined ? '' : `, user ${client.user}`}`,
    `  message    ${size} octets${messageId === undefined ? '' : `, Message-ID ${messageId}`}${priority === undefined ? '' : `, priority ${priority}`}`,
    ...events.map(event => `  ${clock(event.at)} +${seconds((event.at - acceptedAt) / 1000)}  ${describeEvent(event)}`),
    `  now        ${states(recipients)}`,
  ]
  return `${lines.join('\n')}\n`
}

/** One step in one line. */
export function describeEvent(event: TraceEvent): string {
  switch (event.event) {
    case 'accepted':
      return `accepted: ${event.reply}`
    case 'scanned':
      return `scanned in ${seconds(event.seconds)}: ${event.findings.map(describeFinding).join('; ') || 'no scanner configured'}`
    case 'verdict':
      return `verdict: ${event.decision}${event.why === '' ? '' : `, ${event.why}`}`
    case 'quarantined':
    case 'held':
    case 'discarded':
      return `${event.event}: ${event.why} (${shorten(event.recipients)})`
    case 'delivered': {
      const place = event.nextHop.replace(/^maildir:/, '')
      const reply = event.reply === place ? '' : `: ${event.reply}`
      return `delivered to ${place} for <${event.recipient}> in ${seconds(event.seconds)}${protection(event)}${reply}`
    }
    case 'failed':
      return `failed at ${event.nextHop} for <${event.recipient}> in ${seconds(event.seconds)}${protection(event)}: ${event.reply}`
    case 'deferred': {
      // What kept it from TLS is why it was deferred, then, and is said once.
      const how = event.tlsFailure === event.why ? '' : protection(event)
      const by = event.nextHop === undefined ? '' : ` by ${event.nextHop}${how}`
      const next = new Date(event.dueAt).toISOString()
      return `deferred (${event.stage}, attempt ${event.attempt})${by}: ${event.why}; next attempt ${next} (${shorten(event.recipients)})`
    }
    case 'in-doubt': {
      const sent = new Date(event.sentAt).toISOString()
      return `in doubt: attempt ${event.attempt} was sending to ${event.nextHop} at ${sent} and ended without an outcome (${shorten(event.recipients)})`
    }
    case 'reported':
      return `sender told (${event.action}) in ${event.queueId} (${shorten(event.recipients)})`
    case 'released':
      return `released from quarantine by ${event.by} (${shorten(event.recipients)})`
    case 'operator': {
      const why = event.why === undefined ? '' : `, ${event.why}`
      return `${event.action} by ${event.by}${why} (${shorten(event.recipients)})`
    }
    case 'dead-letter':
      return `dead letter (${event.stage}): ${event.why} (${shorten(event.recipients)})`
  }
}

/** ` under TLSv1.3 TLS_AES_256_GCM_SHA384 (certificate verified)`, ` in clear text (TLS failed: …)`; '' where TLS is no topic. */
function protection({ tls, tlsVerified, tlsFailure }: Protection): string {
  if (tls !== undefined) return ` under ${tls} (certificate ${tlsVerified ? '' : 'not '}verified)`
  return tlsFailure === undefined ? '' : ` in clear text (${tlsFailure})`
}

/** One scanner's answer in a few words: `ClamAV clean`, `Rspamd 3.1 of 15, no action`. */
function describeFinding(finding: Finding): string {
  const scanner = finding.scanner === 'clamav' ? 'ClamAV' : 'Rspamd'
  switch (finding.kind) {
    case 'clean':
      return `${scanner} clean`
    case 'virus':
    case 'heuristic':
      return `${scanner} found ${finding.signature}`
    case 'scored':
      return `${scanner} ${finding.score.toFixed(1)} of ${finding.requiredScore.toFixed(1)}, ${finding.action}`
    case 'could-not-scan':
      return `${scanner} could not scan: ${finding.failure}, ${finding.detail}`
  }
}

function states(recipients: MessageRecord['recipients']): string {
  const groups = Map.groupBy(recipients, ({ state }) => state)
  return [...groups].map(([state, of]) => `${state}: ${shorten(of.map(({ recipient }) => recipient))}`).join('; ')
}

function shorten(names: readonly string[]): string {
  const shown = names.slice(0, SHOWN_RECIPIENTS).join(', ')
  return names.length > SHOWN_RECIPIENTS ? `${shown} and ${names.length - SHOWN_RECIPIENTS} more` : shown
}

function clock(at: number): string {
  return new Date(at).toISOString().replace('T', ' ')
}

function seconds(value: number): string {
  return `${value.toFixed(3)} s`
}
