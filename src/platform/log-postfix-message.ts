// The lines of a message's way: smtpd, cleanup and qmgr when it is accepted, cleanup when its scan sets it aside, one
// of smtp, lmtp or local for each recipient's outcome, qmgr at its end. Pure; undefined when the log object lacks
// what such a line is made of.
import { clientParts } from './log-postfix-refusal.ts'
import { smtpdLine } from './log-postfix-session.ts'
import {
  field,
  inAngles,
  type LogEntry,
  numberField,
  type ProgramLine,
  pair,
  peer,
  plain,
  stringsField,
} from './log-postfix-text.ts'

type Lines = readonly ProgramLine[] | undefined

export function acceptedLines(entry: LogEntry): Lines {
  const queueId = queueIdOf(entry)
  if (queueId === undefined) return undefined
  const mechanism = plain(field(entry, 'mechanism'))
  const user = plain(field(entry, 'user'))
  const client = [
    `client=${peer(entry)}`,
    ...(mechanism === '' ? [] : [pair('sasl_method', mechanism)]),
    ...(user === '' ? [] : [pair('sasl_username', user)]),
  ]
  const messageId = inAngles(field(entry, 'messageId').replaceAll(/^<|>$/g, ''))
  const count = numberField(entry, 'recipients', stringsField(entry, 'recipientAddresses').length)
  const queued = `from=${inAngles(field(entry, 'reversePath'))}, size=${numberField(entry, 'size')}, nrcpt=${count}`
  return [
    smtpdLine(entry, `${queueId}: ${client.join(', ')}`),
    { program: 'cleanup', text: `${queueId}: message-id=${messageId}` },
    { program: 'qmgr', text: `${queueId}: ${queued} (queue active)` },
  ]
}

/** What the scan led to. A scan that failed is a deferral of every recipient, as with a content filter that is down. */
export function scannedLines(entry: LogEntry): Lines {
  const queueId = queueIdOf(entry)
  if (queueId === undefined) return undefined
  const why = plain(field(entry, 'why'))
  const decision = plain(field(entry, 'decision'))
  const recipients = stringsField(entry, 'recipientAddresses')
  switch (field(entry, 'state') || decision) {
    case 'quarantined':
    case 'quarantine':
    case 'held':
    case 'hold':
      return [{ program: 'cleanup', text: `${queueId}: hold: END-OF-MESSAGE ${decision}: ${why} ${sender()}` }]
    case 'discarded':
    case 'discard':
      return [{ program: 'cleanup', text: `${queueId}: discard: END-OF-MESSAGE ${why} ${sender()}` }]
    case 'deferred': {
      const times = delays(entry)
      return recipients.map(recipient => ({
        program: 'smtp',
        text: `${queueId}: to=${inAngles(recipient)}, relay=none, ${times}, dsn=4.3.0, status=deferred (${why})`,
      }))
    }
    default: {
      const seconds = numberField(entry, 'seconds')
      return [{ program: 'cleanup', text: `${queueId}: scan: ${decision}, ${why}, seconds=${seconds}` }]
    }
  }

  function sender(): string {
    const to = recipients.map(one => ` to=${inAngles(one)}`).join('')
    return `from ${peer(entry)}; from=${inAngles(field(entry, 'reversePath'))}${to} ${clientParts(entry).join(' ')}`
  }
}

const STATUS = { delivered: 'sent', deferred: 'deferred', failed: 'bounced' } as const

/** One recipient's outcome of one attempt. */
export function outcomeLines(entry: LogEntry, outcome: keyof typeof STATUS): Lines {
  const queueId = queueIdOf(entry)
  if (queueId === undefined || typeof entry.nextHop !== 'string') return undefined
  const { program, relay, host } = nextHopOf(entry)
  const reply = plain(field(entry, 'reply'))
  const isReply = /^\d{3}\b/.test(reply) && host !== undefined
  const said = isReply && outcome !== 'delivered' ? `host ${host} said: ${reply}` : reply
  const told = program === 'local' && outcome === 'delivered' ? `delivered to maildir: ${reply}` : said
  const dsn = field(entry, 'dsn') || { delivered: '2.0.0', deferred: '4.0.0', failed: '5.0.0' }[outcome]
  const about = `to=${inAngles(field(entry, 'recipient'))}, relay=${relay}, ${delays(entry)}, dsn=${plain(dsn)}`
  return [{ program, text: `${queueId}: ${about}, status=${STATUS[outcome]} (${told})` }]
}

export function removedLines(entry: LogEntry): Lines {
  const queueId = queueIdOf(entry)
  return queueId === undefined ? undefined : [{ program: 'qmgr', text: `${queueId}: removed` }]
}

const REPORT: Readonly<Record<string, string>> = {
  failed: 'non-delivery',
  delayed: 'delay',
  delivered: 'delivery status',
  relayed: 'delivery status',
}

/** A report on a message, which is a message of its own from here on. */
export function reportedLines(entry: LogEntry): Lines {
  const queueId = queueIdOf(entry)
  const report = plain(field(entry, 'report'))
  const kind = REPORT[field(entry, 'action')]
  if (queueId === undefined || report === '' || kind === undefined) return undefined
  const messageId = inAngles(field(entry, 'messageId').replaceAll(/^<|>$/g, ''))
  return [
    { program: 'cleanup', text: `${report}: message-id=${messageId}` },
    { program: 'bounce', text: `${queueId}: sender ${kind} notification: ${report}` },
    { program: 'qmgr', text: `${report}: from=<>, size=${numberField(entry, 'size')}, nrcpt=1 (queue active)` },
  ]
}

/** A message that is given up as it is: somebody has to look at it. */
export function deadLetterLines(entry: LogEntry): Lines {
  const queueId = queueIdOf(entry)
  if (queueId === undefined) return undefined
  const why = `${plain(field(entry, 'stage'))} given up: ${plain(field(entry, 'why'))}`
  return [{ program: 'qmgr', text: `warning: ${queueId}: ${why}` }]
}

function queueIdOf(entry: LogEntry): string | undefined {
  const queueId = field(entry, 'queueId')
  return /^\w+$/.test(queueId) ? queueId : undefined
}

/** `host[address]:port`, or `none` as Postfix has it when no connection came about. */
function nextHopOf(entry: LogEntry): { program: string; relay: string; host?: string } {
  const nextHop = field(entry, 'nextHop')
  if (nextHop.startsWith('maildir:')) return { program: 'local', relay: 'local' }
  const [, program, bracketed, name, port] = /^(smtp|lmtp):\/\/(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(nextHop) ?? []
  if (program === undefined) return { program: 'error', relay: 'none' }
  const address = field(entry, 'remoteAddress')
  if (address === '') return { program, relay: 'none' }
  const host = `${(bracketed ?? name ?? '').replaceAll(/[^\w.:-]/g, '?')}[${address}]`
  return { program, relay: `${host}:${port}`, host }
}

/** Before this attempt / in the active queue / to connect / to transmit: we know the first and the sum of the others. */
function delays(entry: LogEntry): string {
  const attempt = numberField(entry, 'seconds')
  const whole = numberField(entry, 'delay', attempt)
  const [before, now] = [Math.max(0, whole - attempt), attempt].map(rounded)
  return `delay=${rounded(whole)}, delays=${before}/0/0/${now}`
}

function rounded(seconds: number): number {
  return Number(seconds.toFixed(2))
}
