// Mail for the stories: made up, sent over SMTP, and looked at after its delivery.
import { greeted } from '../ingress/dialogue.ts'

export type Sent = Readonly<{
  /** The last reply. */
  reply: string
  code: number
  /** '' when it was not accepted. */
  queueId: string
}>

export type Transaction = Readonly<{
  from?: string
  to?: string | readonly string[]
  content: string | Buffer
  /** Behind MAIL FROM, such as `BODY=8BITMIME SMTPUTF8`. */
  parameters?: string
}>

export const EICAR = ['X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR', 'STANDARD', 'ANTIVIRUS', 'TEST', 'FILE!$H+H*'].join('-')

/** The line that rspamd knows by heart: it rejects (X), adds a header (Y) or does nothing (A), by its first letter. */
export function gtube(letter: 'X' | 'Y' | 'A' = 'X'): string {
  return `${letter}${['JS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE', 'STANDARD', 'ANTI', 'UBE', 'TEST', 'EMAIL*C.34X'].join('-')}`
}

let lastNumber = 0

/** A whole mail with a header of its own; `header` lines are added to it. */
export function mail({ header = [], body = 'Hello\r\n' }: { header?: readonly string[]; body?: string } = {}): string {
  const id = `${++lastNumber}.${process.pid}.${Date.now()}@sender.example`
  return [
    'From: Alice <alice@sender.example>',
    'To: Bob <bob@example.com>',
    'Subject: A story',
    `Date: ${new Date().toUTCString().replace('GMT', '+0000')}`,
    `Message-ID: <${id}>`,
    'MIME-Version: 1.0',
    ...header,
    '',
    body,
  ].join('\r\n')
}

/** A mail with one file in it. */
export function mailWithAttachment(name: string, file: Buffer): string {
  const base64 = file.toString('base64').replaceAll(/.{76}/g, '$&\r\n')
  const body = [
    '--=_b',
    'Content-Type: text/plain',
    '',
    'See the file.',
    '--=_b',
    `Content-Type: application/octet-stream; name="${name}"`,
    `Content-Disposition: attachment; filename="${name}"`,
    'Content-Transfer-Encoding: base64',
    '',
    base64,
    '--=_b--',
    '',
  ].join('\r\n')
  return mail({ header: ['Content-Type: multipart/mixed; boundary="=_b"'], body })
}

/** One message over a connection of its own. Rejects when the connection ends before the last reply. */
export async function send(port: number, transaction: Transaction): Promise<Sent> {
  const client = await greeted(port)
  try {
    return await sendOn(client, transaction)
  } finally {
    client.hangUp()
  }
}

/** One message on an open connection. A refused MAIL, RCPT or DATA is the last reply. */
export async function sendOn(
  client: Awaited<ReturnType<typeof greeted>>,
  { from = 'alice@sender.example', to = 'bob@example.com', content, parameters = '' }: Transaction,
): Promise<Sent> {
  let reply = await client.say(`MAIL FROM:<${from}> ${parameters}`.trimEnd())
  for (const recipient of typeof to === 'string' ? [to] : to) {
    if (!reply.startsWith('2')) break
    reply = await client.say(`RCPT TO:<${recipient}>`)
  }
  if (reply.startsWith('2')) reply = await client.say('DATA')
  if (reply.startsWith('354')) {
    client.send(onTheWire(content))
    reply = await client.reply()
  }
  return { reply, code: Number(reply.slice(0, 3)), queueId: /queued as (\w{20})$/.exec(reply)?.[1] ?? '' }
}

/** Stuffed and with its final dot (RFC 5321 §4.5.2). */
export function onTheWire(content: string | Buffer): Buffer {
  const text = Buffer.from(content as string).toString('latin1')
  const stuffed = text.replaceAll(/(^|\r\n)\./g, '$1..')
  return Buffer.from(`${stuffed}${stuffed === '' || stuffed.endsWith('\r\n') ? '' : '\r\n'}.\r\n`, 'latin1')
}

export type Delivered = Readonly<{
  header: string
  /** The values of a field, unfolded, top first. */
  field(name: string): string[]
  /** Behind the empty line. */
  body: Buffer
}>

export function readMail(octets: Buffer): Delivered {
  const end = octets.indexOf('\r\n\r\n')
  const header = octets.toString('utf8', 0, end === -1 ? octets.length : end)
  const lines = header.replaceAll(/\r\n(?=[ \t])/g, '').split('\r\n')
  return {
    header,
    body: end === -1 ? Buffer.alloc(0) : octets.subarray(end + 4),
    field: name =>
      lines
        .filter(line => line.toLowerCase().startsWith(`${name.toLowerCase()}:`))
        .map(line => line.slice(name.length + 1).trim()),
  }
}
