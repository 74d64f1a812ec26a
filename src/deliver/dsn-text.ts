// What a report says: in plain words for people, and as the fields of message/delivery-status (RFC 3464 §2). Pure.
// Whatever a client or a next hop could choose is made harmless first: one line, printable, and ASCII where the report
// is not an international message (RFC 6533).
import type { DsnAction } from '../mail/record.ts'
import { escapeUtf8Address } from '../mail/xtext.ts'
import type { DsnRecipient, Due } from './dsn.ts'

export type ReportText = Due &
  Readonly<{
    hostname: string
    /** Milliseconds since 1970. */
    acceptedAt: number
    at: number
    /** When an attempt will be the last one. */
    retryUntil: number
    envelopeId?: string
    /** UTF-8 may stand everywhere. */
    utf8: boolean
    /** For the postmaster: a report that could not be delivered. */
    doubleBounce: boolean
  }>

const SUBJECTS: Record<DsnAction, string> = {
  failed: 'Your mail could not be delivered',
  delayed: 'Your mail is delayed',
  delivered: 'Your mail was delivered',
  relayed: 'Your mail was passed on',
}

export function subjectOf({ action, doubleBounce }: Pick<ReportText, 'action' | 'doubleBounce'>): string {
  return doubleBounce ? 'A delivery report could not be delivered' : SUBJECTS[action]
}

/** For people, lines ending in CRLF. */
export function humanPart(report: ReportText): string {
  const { hostname, recipients } = report
  const lines = [
    `This is the mail system of ${hostname}.`,
    '',
    ...happened(report),
    '',
    ...recipients.flatMap(recipient => [
      `  <${inOneLine(recipient.address, report)}>`,
      ...fold(`${whoSaid(recipient)}${saidTo(recipient, report)}`).map(line => `      ${line}`),
      '',
    ]),
    ...advice(report),
  ]
  return lines.map(line => `${line}\r\n`).join('')
}

function happened({ action, acceptedAt, doubleBounce }: ReportText): string[] {
  const arrived = `It arrived here on ${date(acceptedAt)}.`
  if (doubleBounce) return ['A message without a sender, most often a report, could not be delivered.', arrived]
  switch (action) {
    case 'failed':
      return ['Your message could not be delivered to the recipients below. Nothing', `more is tried. ${arrived}`]
    case 'delayed':
      return ['Your message could not be delivered yet to the recipients below.', arrived]
    case 'delivered':
      return ['As you asked to be told: your message was delivered to the recipients', `below. ${arrived}`]
    case 'relayed':
      return [
        'As you asked to be told: your message was passed on to the mail systems',
        'of the recipients below, which send no such reports themselves.',
        arrived,
      ]
  }
}

function advice({ action, retryUntil, hostname, doubleBounce }: ReportText): string[] {
  const postmaster = `postmaster@${hostname}`
  if (doubleBounce) return ['Nobody else is told of this. The message, or its header, is attached.']
  switch (action) {
    case 'failed':
      return [
        'What you can do: see whether the address is right, and send the message',
        'again once the reason above is gone. If it means nothing to you, ask the',
        `recipients by another way, or write to ${postmaster}.`,
        'Your message, or its header, is attached.',
      ]
    case 'delayed':
      return [
        'You need not do anything: it is tried again until',
        `${date(retryUntil)}. If that fails too, you will be told.`,
      ]
    case 'delivered':
    case 'relayed':
      return ['You need not do anything.']
  }
}

function whoSaid({ state, outcome }: DsnRecipient): string {
  const host = remoteHost(outcome.nextHop)
  if (host === undefined) return ''
  return state === 'delivered' ? `${host} took it: ` : `${host} said: `
}

/** The per-message fields, then a group for each recipient (RFC 3464 §2.1). */
export function statusPart(report: ReportText): string {
  const { hostname, acceptedAt, envelopeId, recipients } = report
  const message = [
    `Reporting-MTA: dns; ${hostname}`,
    ...(envelopeId === undefined ? [] : [`Original-Envelope-Id: ${inOneLine(envelopeId, report)}`]),
    `Arrival-Date: ${date(acceptedAt)}`,
  ]
  const groups = recipients.map(recipient => recipientFields(recipient, report))
  return [message, ...groups].map(fields => fields.map(field => `${field}\r\n`).join('')).join('\r\n')
}

function recipientFields(recipient: DsnRecipient, report: ReportText): string[] {
  const { address, originalRecipient, status, outcome } = recipient
  const { action, at, retryUntil } = report
  const host = remoteHost(outcome.nextHop)
  const spoken = host !== undefined && /^\d{3}\b/.test(outcome.reply)
  const said = saidTo(recipient, report)
  return [
    ...(originalRecipient === undefined ? [] : [`Original-Recipient: ${typedAddress(originalRecipient, report)}`]),
    `Final-Recipient: ${typedAddress(`rfc822;${address}`, report)}`,
    `Action: ${action}`,
    `Status: ${status}`,
    ...(host === undefined ? [] : [`Remote-MTA: dns; ${host}`]),
    // A folded field: each line goes on with white space.
    `Diagnostic-Code: ${fold(`${spoken ? 'smtp' : 'x-elemta'}; ${said}`).join('\r\n ')}`,
    `Last-Attempt-Date: ${date(at)}`,
    ...(action === 'delayed' ? [`Will-Retry-Until: ${date(retryUntil)}`] : []),
  ]
}

/** `rfc822; bob@example.com`; what is not ASCII is of the type utf-8, escaped where need be (RFC 6533 §3). */
function typedAddress(typed: string, { utf8 }: ReportText): string {
  const [, type = 'rfc822', address = ''] = /^([^;]*);(.*)$/s.exec(typed) ?? []
  const printable = address.replaceAll(/\p{Cc}/gu, '?')
  if (/^[ -~]*$/.test(printable)) return `${type}; ${printable}`
  return `utf-8; ${utf8 ? printable : escapeUtf8Address(printable)}`
}

/** What a mailbox of our own says names paths: the sender is told less. */
function saidTo({ outcome, state, said }: DsnRecipient, report: ReportText): string {
  if (!outcome.nextHop.startsWith('maildir:')) return inOneLine(said, report)
  return state === 'delivered' ? 'stored in the mailbox' : 'the mailbox could not be written'
}

/** The host of `smtp://host:port`, an address in brackets; undefined where nobody else was asked. */
function remoteHost(nextHop: string): string | undefined {
  const [, host] = /^(?:smtps?|lmtp):\/\/(\[[^\]]*\]|[^\s:/]+)/.exec(nextHop) ?? []
  if (host === undefined) return undefined
  if (host.startsWith('[')) return `[IPv6:${host.slice(1)}`
  return /^[\d.]+$/.test(host) ? `[${host}]` : host
}

function inOneLine(text: string, { utf8 }: Pick<ReportText, 'utf8'>): string {
  const printable = text.replaceAll(/[\p{Cc}\p{Cs}\u2028\u2029]/gu, '?')
  return utf8 ? printable : printable.replaceAll(/[^ -~]/gu, '?')
}

/** In lines of about 70 octets, broken at blanks; a longer word is cut before it makes a line of 998 (RFC 5322 §2.1.1). */
function fold(text: string): string[] {
  const lines: string[] = []
  for (const word of text.split(/ +/).flatMap(word => word.match(/.{1,200}/gsu) ?? [])) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + word.length < 70) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}

/** RFC 5322 §3.3. */
export function date(at: number): string {
  return new Date(at).toUTCString().replace('GMT', '+0000')
}
