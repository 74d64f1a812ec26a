// The log as Postfix writes it to mail.log, for the programs that read such logs: pflogsumm, fail2ban, exporters.
// Pure: one log object in, whole lines out. An event that is no mail event, or that lacks a field, becomes a line of
// `master` with all of its fields: nothing is left out. Which line follows from which event: docs/logs.md.
import {
  acceptedLines,
  deadLetterLines,
  outcomeLines,
  removedLines,
  reportedLines,
  scannedLines,
} from './log-postfix-message.ts'
import { refusalLines, turnedAwayLines } from './log-postfix-refusal.ts'
import {
  authFailedLines,
  clientGoneLines,
  connectedLines,
  sessionEndedLines,
  tlsFailedLines,
  tlsLines,
} from './log-postfix-session.ts'
import { field, type LogEntry, numberField, type ProgramLine, pair, withoutBrackets } from './log-postfix-text.ts'

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
/** Told by the line itself. */
const FRAME = new Set(['level', 'time', 'event'])

/** The lines, each with its line end, in the local time zone as syslog does. `pid` stands where a line has no other. */
export function postfixLines(entry: LogEntry, { hostname, pid }: { hostname: string; pid: number }): string {
  const prefix = `${syslogTime(new Date(field(entry, 'time')))} ${hostname.replaceAll(/[^\w.:-]/g, '_')}`
  return (mailLines(entry) ?? [masterLine(entry)])
    .map(({ program, text, pid: own = pid }) => `${prefix} postfix/${program}[${own}]: ${text}\n`)
    .join('')
}

function mailLines(entry: LogEntry): readonly ProgramLine[] | undefined {
  switch (field(entry, 'event')) {
    case 'connected':
      return connectedLines(entry)
    case 'session-ended':
      return sessionEndedLines(entry)
    case 'tls':
      return tlsLines(entry)
    case 'tls-failed':
      return tlsFailedLines(entry)
    case 'auth-failed':
      return authFailedLines(entry)
    case 'client-gone':
      return clientGoneLines(entry)
    case 'turned-away':
      return turnedAwayLines(entry)
    case 'rejected':
      return refusalLines(entry)
    case 'would-refuse':
      return refusalLines(entry, { dry: true })
    case 'deferred': // the client was told to come back, or the next hop told us to
      return 'nextHop' in entry ? outcomeLines(entry, 'deferred') : refusalLines(entry)
    case 'accepted':
      return acceptedLines(entry)
    case 'scanned':
      return scannedLines(entry)
    case 'delivered':
      return outcomeLines(entry, 'delivered')
    case 'failed':
      return outcomeLines(entry, 'failed')
    case 'reported':
      return reportedLines(entry)
    case 'removed':
      return removedLines(entry)
    case 'dead-letter':
      return deadLetterLines(entry)
    default:
      return undefined
  }
}

/** `event -- name=value, …`, with the severity in front where it is one; pflogsumm drops all before the last `: `. */
function masterLine(entry: LogEntry): ProgramLine {
  const fields = Object.entries(entry).filter(([name]) => !FRAME.has(name))
  const event = withoutBrackets(field(entry, 'event')) || 'no event'
  const text = fields.map(([name, value]) => pair(withoutBrackets(name), withoutBrackets(valueText(value)))).join(', ')
  return { program: 'master', text: `${severity(numberField(entry, 'level'))}${event}${text && ` -- ${text}`}` }
}

/** pino's numbers in Postfix's words. */
function severity(level: number): string {
  if (level >= 60) return 'fatal: '
  if (level >= 50) return 'error: '
  return level >= 40 ? 'warning: ' : ''
}

function valueText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}

/** `Nov  2 04:31:07` */
function syslogTime(date: Date): string {
  const two = (number: number) => String(number).padStart(2, '0')
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')
  return `${MONTHS[date.getMonth()]} ${String(date.getDate()).padStart(2)} ${time}`
}
