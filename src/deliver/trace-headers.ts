// What we put in front of a message when delivering, and which fields of strangers must not stay beside it. Pure.
// Whatever a client could choose is made harmless first: no value can begin a field of its own.
import type { AcceptedMessage } from '../mail/record.ts'
import type { HeaderField } from '../mail/verdict.ts'

export type TraceHeader = Readonly<{
  message: AcceptedMessage
  hostname: string
  /** The verdict's fields. */
  headers: readonly HeaderField[]
  /** Final delivery into a mailbox of this recipient: adds Return-Path and Delivered-To (RFC 5321 §4.4). */
  deliveredTo?: string
}>

/**
 * The header fields as octets, top first: Return-Path, Delivered-To, Received, verdict. With `receivedLast` Received
 * ends them: for a content whose first line would continue the field above it, which must then be no verdict.
 */
export function traceHeader(trace: TraceHeader, receivedLast = false): Buffer {
  const { message, hostname, headers, deliveredTo } = trace
  const mailbox =
    deliveredTo === undefined
      ? []
      : [
          { name: 'Return-Path', value: `<${inOneLine(message.envelope.reversePath)}>` },
          { name: 'Delivered-To', value: inOneLine(deliveredTo) },
        ]
  const received = { name: 'Received', value: receivedValue(message, hostname) }
  const ours = receivedLast ? [...mailbox, ...headers, received] : [...mailbox, received, ...headers]
  return Buffer.from(ours.map(formatField).join(''))
}

/** RFC 5321 §4.4. The recipient is named only when there is but one, so that nobody learns of the others. */
function receivedValue({ queueId, acceptedAt, client, envelope }: AcceptedMessage, hostname: string): string {
  const date = new Date(acceptedAt).toUTCString().replace('GMT', '+0000')
  // Our own reports came from nobody.
  if (client.address === 'local') return `by ${hostname} id ${queueId};\r\n\t${date}`
  const address = client.address.includes(':') ? `IPv6:${client.address}` : client.address
  const [recipient, ...others] = envelope.recipients
  const named = recipient !== undefined && others.length === 0 && /^[ -~]*$/.test(recipient.address)
  return [
    `from ${domainOrNothing(client.helo)} ([${address}])`,
    ...(client.tls === undefined ? [] : [`(using ${client.tls.replace(' ', ' with cipher ')})`]),
    `by ${hostname} with ${withProtocol(client, envelope)} id ${queueId}`,
    ...(named ? [`for <${inOneLine(recipient.address)}>`] : []),
  ]
    .join('\r\n\t')
    .concat(`;\r\n\t${date}`)
}

/** RFC 3848 and RFC 6531 §4.3: S for TLS, A for AUTH; plain SMTP has neither. */
function withProtocol({ esmtp, tls, user }: AcceptedMessage['client'], { smtputf8 }: AcceptedMessage['envelope']) {
  if (!esmtp) return 'SMTP'
  return `${smtputf8 ? 'UTF8SMTP' : 'ESMTP'}${tls === undefined ? '' : 'S'}${user === undefined ? '' : 'A'}`
}

/** What the client claimed, if it can pass for a domain or an address literal. */
function domainOrNothing(helo: string): string {
  const claimed = helo.replaceAll(/[^\w.:[\]-]/g, '?').slice(0, 255)
  return claimed === '' ? 'unknown' : claimed
}

function formatField({ name, value }: HeaderField): string {
  // A fold stays where white space and then something follows; every other control character becomes a space.
  const lines = value
    .replaceAll(/[^\P{Cc}\t\r\n]/gu, ' ')
    .split(/\r?\n(?=[ \t]+\S)/)
    .map(line => line.replaceAll(/[\r\n]/g, ' '))
  return `${name.replaceAll(/[^!-9;-~]/g, '-')}: ${lines.join('\r\n').trim()}\r\n`
}

function inOneLine(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, '?')
}

/** Fields by which later readers take somebody's word for ours. */
const VERDICT_FIELD = /^x-(?:spamd?|virus|rspamd|elemta)(?:-|$)/

/**
 * True for fields of the incoming header that must go: verdicts, a Return-Path (RFC 5321 §4.4: only final delivery
 * adds it), results of authentication in our name (RFC 8601 §5). Foreign Delivered-To stay: they show loops.
 */
export function isForged(name: string, value: () => string, hostname: string): boolean {
  if (name === 'return-path' || VERDICT_FIELD.test(name)) return true
  if (name !== 'authentication-results') return false
  const id = authservId(value())
  return id === undefined || id.toLowerCase() === hostname.toLowerCase()
}

/**
 * The authserv-id that begins an Authentication-Results value (RFC 8601 §2.2): a token or a quoted string, behind
 * comments and white space. Undefined when there is none to be read: then nobody can say whose word it is.
 */
export function authservId(value: string): string | undefined {
  const rest = value.slice(endOfComments(value))
  const quoted = /^"((?:[^"\\]|\\.)*)"/s.exec(rest)
  if (quoted !== null) return quoted[1]!.replaceAll(/\\(.)/gs, '$1')
  return /^[^\s;()"]+/.exec(rest)?.[0]
}

/** Comments nest and may hold quoted pairs (RFC 5322 §3.2.2); one that never ends takes everything. */
function endOfComments(text: string): number {
  let depth = 0
  let at = 0
  for (; at < text.length; at++) {
    const character = text[at]!
    if (character === '(') depth++
    else if (character === ')' && depth > 0) depth--
    else if (character === '\\' && depth > 0) at++
    else if (depth === 0 && !/\s/.test(character)) break
  }
  return at
}
