// What was refused or put off while the client waited, as smtpd (`NOQUEUE: reject: RCPT from …`) and cleanup
// (`QID: milter-reject: END-OF-MESSAGE from …`) tell it. Pure. The reply is told in Postfix's own phrases where it has
// one for the case, since the filters of fail2ban look for those; our text follows.
import { smtpdLine } from './log-postfix-session.ts'
import {
  field,
  inAngles,
  type LogEntry,
  type ProgramLine,
  pair,
  peer,
  plain,
  stringsField,
} from './log-postfix-text.ts'

type Stage = 'connect' | 'auth' | 'mail' | 'rcpt' | 'data' | 'message'

const COMMANDS: Readonly<Record<Stage, string>> = {
  connect: 'CONNECT',
  auth: 'AUTH',
  mail: 'MAIL',
  rcpt: 'RCPT',
  data: 'DATA',
  message: 'END-OF-MESSAGE',
}

/** A plugin's hook, where the line names that instead of the stage. */
const STAGE_OF_HOOK: Readonly<Record<string, Stage>> = {
  connect: 'connect',
  sender: 'mail',
  recipient: 'rcpt',
  message: 'message',
}

/** `dry`: it would have been refused, were the policy enforced. */
export function refusalLines(entry: LogEntry, { dry = false } = {}): readonly ProgramLine[] | undefined {
  const [, code, enhancedCode = '', text = ''] =
    /^(\d{3})(?: (\d\.\d{1,3}\.\d{1,3}))?(?: (.*))?$/s.exec(withoutQueueId(entry)) ?? []
  if (code === undefined) return undefined
  const stage = stageOf(entry)
  const codes = enhancedCode === '' ? code : `${code} ${enhancedCode}`
  // The address stands in front anyway.
  const told = plain(text).replace(/^<[^>]*>: /, '')
  const rest = `${codes} ${reason(entry, stage, enhancedCode, told)}; ${about(entry, stage)}`
  const what = `${COMMANDS[stage]} from ${peer(entry)}: ${rest}`
  if (stage !== 'message') return [smtpdLine(entry, `NOQUEUE: ${dry ? 'reject_warning' : 'reject'}: ${what}`)]
  const queueId = plain(field(entry, 'queueId')) || 'NOQUEUE'
  return [{ program: 'cleanup', text: `${queueId}: ${dry ? 'warning' : 'milter-reject'}: ${what}` }]
}

/** Who came while there was no room. */
export function turnedAwayLines(entry: LogEntry): readonly ProgramLine[] | undefined {
  const reply = field(entry, 'reply') || `421 4.7.0 ${field(entry, 'reason') || 'turned away'}`
  return refusalLines({ ...entry, reply, stage: 'connect' })
}

function stageOf(entry: LogEntry): Stage {
  const stage = field(entry, 'stage')
  // After the final dot all recipients are concerned, and counted.
  if (stage === 'data' && typeof entry.recipients === 'number') return 'message'
  if (Object.hasOwn(COMMANDS, stage)) return stage as Stage
  return STAGE_OF_HOOK[field(entry, 'hook')] ?? 'message'
}

/** The reply without the queue id at its end: reasons are grouped by their text. */
function withoutQueueId(entry: LogEntry): string {
  return field(entry, 'reply').replace(` (${field(entry, 'queueId')})`, '')
}

function reason(entry: LogEntry, stage: Stage, enhancedCode: string, text: string): string {
  const permanent = enhancedCode.startsWith('5')
  const phrased = (phrase: string) => (text.startsWith(phrase) ? text : `${phrase}; ${text}`)
  if (enhancedCode === '5.3.4') return phrased('Message size exceeds fixed limit')
  const plugin = field(entry, 'plugin')
  if (permanent && plugin === 'dnsbl') {
    const zones = text.replace(/^.* is listed by /, '')
    return `Service unavailable; Client host ${peer(entry).replace(/^[^[]*/, '')} blocked using ${zones}`
  }
  if (plugin === 'helo') {
    const phrase = /host not found/.test(text) ? 'Host not found' : 'need fully-qualified hostname'
    const known = permanent && /host not found|not a full host name/.test(text)
    return `${inAngles(field(entry, 'helo'))}: Helo command rejected: ${known ? phrased(phrase) : text}`
  }
  switch (stage) {
    case 'connect':
      return `<${peer(entry)}>: Client host rejected: ${text}`
    case 'mail':
    case 'rcpt':
      break
    case 'data':
      return `<DATA>: Data command rejected: ${text}`
    case 'auth':
    case 'message':
      return text
  }
  const path = inAngles(field(entry, stage === 'mail' ? 'reversePath' : 'recipient'))
  if (permanent && /^relay/i.test(text)) return `${path}: ${phrased('Relay access denied')}`
  if (plugin === 'sender-domain' || stage === 'mail') {
    const sender = inAngles(field(entry, 'reversePath'))
    return `${sender}: Sender address rejected: ${enhancedCode === '5.1.8' ? phrased('Domain not found') : text}`
  }
  const unknown = enhancedCode === '5.1.1'
  return `${path}: Recipient address rejected: ${unknown ? phrased('User unknown') : text}`
}

/** `from=<…> to=<…> proto=ESMTP helo=<…>`, then what only we know. */
function about(entry: LogEntry, stage: Stage): string {
  const recipient = field(entry, 'recipient')
  const recipients = recipient === '' ? stringsField(entry, 'recipientAddresses') : [recipient]
  const parts = stage === 'connect' || stage === 'auth' ? [] : [`from=${inAngles(field(entry, 'reversePath'))}`]
  parts.push(...recipients.map(one => `to=${inAngles(one)}`), ...clientParts(entry))
  const own = { queue_id: stage === 'message' ? '' : field(entry, 'queueId'), plugin: field(entry, 'plugin') }
  for (const [name, value] of Object.entries({ ...own, why: field(entry, 'why') })) {
    if (value !== '') parts.push(pair(name, value))
  }
  return parts.join(' ')
}

/** `proto=ESMTP`, `helo=<…>`. */
export function clientParts(entry: LogEntry): string[] {
  const helo = field(entry, 'helo')
  const esmtp = typeof entry.esmtp === 'boolean' ? entry.esmtp : helo !== ''
  return [`proto=${esmtp ? 'ESMTP' : 'SMTP'}`, ...(helo === '' ? [] : [`helo=${inAngles(helo)}`])]
}
