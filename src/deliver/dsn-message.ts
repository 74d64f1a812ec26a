// A report as a message: multipart/report (RFC 6522) of words for people, message/delivery-status and the original, or
// its header. International messages have the types of RFC 6533. Pure.
// Written here, octet by octet, since the original must not be touched: a MIME composer encodes a header with long
// lines anew, and 8-bit content stays as it came (signatures hold, and message/rfc822 may not be encoded).
import type { AcceptedMessage } from '../mail/record.ts'
import { date, humanPart, type ReportText, statusPart, subjectOf } from './dsn-text.ts'

export type Original = Readonly<{
  octets: Buffer
  /** The header section alone, or header and body. */
  part: 'header' | 'message'
}>

export type ReportOptions = ReportText &
  Readonly<{ queueId: string; to: string; about: AcceptedMessage; original: Original }>

export type ComposedReport = Readonly<{
  content: Buffer
  /** With its angle brackets. */
  messageId: string
  body: '7BIT' | '8BITMIME'
}>

const CRLF = Buffer.from('\r\n')

export function composeReport(options: ReportOptions): ComposedReport {
  const { queueId, to, about, original, utf8, hostname, at } = options
  // Nobody who wrote the original could know it.
  const boundary = `report-${queueId}`
  const messageId = `<${queueId}@${hostname}>`
  const human = humanPart(options)
  const eightBit = original.octets.some(octet => octet > 127)
  const reference = referenceTo(about)
  const header = [
    `From: Mail Delivery System <MAILER-DAEMON@${hostname}>`,
    `To: <${to}>`,
    `Subject: ${subjectOf(options)}`,
    `Date: ${date(at)}`,
    `Message-ID: ${messageId}`,
    ...(reference === undefined ? [] : [`In-Reply-To: ${reference}`, `References: ${reference}`]),
    'Auto-Submitted: auto-replied',
    'MIME-Version: 1.0',
    `Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary="${boundary}"`,
    ...(utf8 || eightBit ? ['Content-Transfer-Encoding: 8bit'] : []),
  ]
  const parts: readonly Part[] = [
    { type: `text/plain; charset=${utf8 ? 'utf-8' : 'us-ascii'}`, eightBit: utf8, octets: Buffer.from(human) },
    {
      type: utf8 ? 'message/global-delivery-status' : 'message/delivery-status',
      eightBit: utf8,
      octets: Buffer.from(statusPart(options)),
    },
    { type: originalType(original.part, utf8), eightBit, octets: original.octets },
  ]
  const content = Buffer.concat([
    Buffer.from(header.map(field => `${field}\r\n`).join('')),
    ...parts.flatMap(part => formatPart(part, boundary)),
    Buffer.from(`\r\n--${boundary}--\r\n`),
  ])
  return { content, messageId, body: utf8 || eightBit ? '8BITMIME' : '7BIT' }
}

type Part = Readonly<{ type: string; eightBit: boolean; octets: Buffer }>

function formatPart({ type, eightBit, octets }: Part, boundary: string): Buffer[] {
  const encoding = eightBit ? '8bit' : '7bit'
  const fields = `Content-Type: ${type}\r\nContent-Transfer-Encoding: ${encoding}\r\n`
  const ended = octets.length === 0 || octets.subarray(-2).equals(CRLF)
  return [Buffer.from(`\r\n--${boundary}\r\n${fields}\r\n`), octets, ...(ended ? [] : [CRLF])]
}

function originalType(part: Original['part'], utf8: boolean): string {
  if (part === 'message') return utf8 ? 'message/global' : 'message/rfc822'
  return utf8 ? 'message/global-headers' : 'text/rfc822-headers'
}

/** For the sender's mail program to sort it to the message; one that is too long for a line is left out. */
function referenceTo({ messageId }: AcceptedMessage): string | undefined {
  return messageId !== undefined && /^[!-~]{1,500}$/.test(messageId) ? messageId : undefined
}
