// Lines of Postfix's smtpd: connections, sessions, TLS, logins. Pure: a log object becomes lines, undefined when it
// lacks what such a line is made of.
// The number in brackets is the client's port where it is known: like the pid of an smtpd it holds one session together.
import { field, inAngles, type LogEntry, numberField, type ProgramLine, pair, peer, plain } from './log-postfix-text.ts'

/** Postfix's order in a disconnect line; what is not named there counts as `unknown`. */
const COMMANDS = ['helo', 'ehlo', 'starttls', 'auth', 'mail', 'bdat', 'rcpt', 'data', 'rset', 'noop', 'vrfy', 'quit']

/** pino's number. */
const ERROR = 50
/** Ends that Postfix has a line for, or none at all. */
const WITH_OWN_WORDS = new Set(['', 'quit', 'timeout', 'errors', 'closed', 'reset'])

export function smtpdLine(entry: LogEntry, text: string): ProgramLine {
  const port = numberField(entry, 'port')
  return port > 0 ? { program: 'smtpd', text, pid: port } : { program: 'smtpd', text }
}

export function connectedLines(entry: LogEntry): readonly ProgramLine[] {
  return [smtpdLine(entry, `connect from ${peer(entry)}`)]
}

export function tlsLines(entry: LogEntry): readonly ProgramLine[] {
  const how = `${plain(field(entry, 'version'))} with cipher ${plain(field(entry, 'cipher'))}`
  return [smtpdLine(entry, `Anonymous TLS connection established from ${peer(entry)}: ${how}`)]
}

export function tlsFailedLines(entry: LogEntry): readonly ProgramLine[] {
  return [smtpdLine(entry, `SSL_accept error from ${peer(entry)}: ${plain(field(entry, 'why'))}`)]
}

export function authFailedLines(entry: LogEntry): readonly ProgramLine[] {
  const mechanism = field(entry, 'mechanism')
    .toUpperCase()
    .replaceAll(/[^A-Z0-9-]/g, '')
  const reason = plain(field(entry, 'why')) || 'authentication failure'
  // An error is our own trouble with LDAP and the like. fail2ban must not take it for a guess, and knows these words.
  const own = numberField(entry, 'level') >= ERROR
  const why = own ? `Connection lost to authentication server: ${reason}` : reason
  const user = field(entry, 'user')
  const name = user === '' ? '' : `, ${pair('sasl_username', user)}`
  const text = `SASL ${mechanism || 'LOGIN'} authentication failed: ${why}${name}`
  return [smtpdLine(entry, `warning: ${peer(entry)}: ${text}`)]
}

export function clientGoneLines(entry: LogEntry): readonly ProgramLine[] {
  const queueId = field(entry, 'queueId')
  const about = queueId === '' ? '' : `, queue_id=${plain(queueId)}`
  return [smtpdLine(entry, `lost connection after ${verb(field(entry, 'stage'))} from ${peer(entry)}${about}`)]
}

/** How it ended where that was not a QUIT, then the counts of commands as `good/all`. */
export function sessionEndedLines(entry: LogEntry): readonly ProgramLine[] {
  const counts = commandCounts(entry.commands)
  const last = verb(field(entry, 'lastCommand') || (counts.at(-1)?.name ?? ''))
  const from = `from ${peer(entry)}`
  const written = counts.map(({ name, good, all }) => `${name}=${good === all ? all : `${good}/${all}`}`)
  const good = counts.reduce((sum, count) => sum + count.good, 0)
  const all = counts.reduce((sum, count) => sum + count.all, 0)
  written.push(`commands=${good === all ? all : `${good}/${all}`}`)
  const ended = field(entry, 'ended')
  const helo = field(entry, 'helo')
  if (helo !== '') written.push(`helo=${inAngles(helo)}`)
  for (const name of ['user', 'tls', 'seconds']) {
    const value = plain(field(entry, name)).replaceAll(' ', '/')
    if (value !== '') written.push(`${name}=${value}`)
  }
  if (!WITH_OWN_WORDS.has(ended)) written.push(pair('ended', ended))
  return [...endLine(), smtpdLine(entry, `disconnect ${from} ${written.join(' ')}`)]

  function endLine(): ProgramLine[] {
    switch (ended) {
      case 'timeout':
        return [smtpdLine(entry, `timeout after ${last} ${from}`)]
      case 'errors':
        return [smtpdLine(entry, `too many errors after ${last} ${from}`)]
      case 'closed':
      case 'reset':
        // Who leaves inside a transaction has a line of its own (client-gone).
        return last === 'DATA' ? [] : [smtpdLine(entry, `lost connection after ${last} ${from}`)]
      default:
        return []
    }
  }
}

type Count = Readonly<{ name: string; good: number; all: number }>

function commandCounts(commands: unknown): Count[] {
  if (typeof commands !== 'object' || commands === null) return []
  const given = new Map(Object.entries(commands).map(([name, value]) => [name.toLowerCase(), countOf(value)]))
  const known = COMMANDS.flatMap(name => {
    const count = given.get(name)
    given.delete(name)
    return count === undefined || count.all === 0 ? [] : [{ name, ...count }]
  })
  const others = [...given.values()]
  const all = others.reduce((sum, count) => sum + count.all, 0)
  const unknown = { name: 'unknown', good: others.reduce((sum, count) => sum + count.good, 0), all }
  return all === 0 ? known : [...known, unknown]
}

/** 3 or `2/3`. */
function countOf(value: unknown): Omit<Count, 'name'> {
  const [good = 0, all = good] = String(value).split('/').map(Number)
  return { good: good || 0, all: all || 0 }
}

/** The command after which something happened, CONNECT where there was none. */
function verb(name: string): string {
  return name.toUpperCase().replaceAll(/[^A-Z]/g, '') || 'CONNECT'
}
