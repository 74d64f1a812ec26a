// Messages for the scanners, put together here so that no file of the repository sets off a virus scanner.
import { randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { AcceptedMessage } from '../../src/mail/record.ts'
import type { ScanContent } from '../../src/scan/scanner.ts'
import type { Content } from '../../src/storage/message-store.ts'

export const EICAR = ['X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR', 'STANDARD', 'ANTIVIRUS', 'TEST', 'FILE!$H+H*'].join('-')
export const GTUBE = ['XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE', 'STANDARD', 'ANTI', 'UBE', 'TEST', 'EMAIL*C.34X'].join('-')

/** From 203.0.113.10, a@good.test to b@example.com, as ingress would record it. */
export function accepted({
  client = {},
  envelope = {},
  recipients = ['b@example.com'],
}: {
  client?: Partial<AcceptedMessage['client']>
  envelope?: Partial<Omit<AcceptedMessage['envelope'], 'recipients'>>
  recipients?: string[]
} = {}): AcceptedMessage {
  return {
    queueId: 'TESTQUEUEID',
    acceptedAt: 0,
    client: { address: '203.0.113.10', port: 4321, helo: 'mx.good.test', esmtp: true, ...client },
    envelope: {
      reversePath: 'a@good.test',
      smtputf8: false,
      body: '8BITMIME',
      ...envelope,
      recipients: recipients.map(address => ({ address })),
    },
    size: 0,
  }
}

/** A whole message around a text body; `fields` go on top. */
export function mail(body: string, fields: string[] = []): Buffer {
  const header = [
    ...fields,
    'From: Anna <a@good.test>',
    'To: Bert <b@example.com>',
    'Subject: The meeting on Thursday',
    `Date: ${new Date().toUTCString().replace('GMT', '+0000')}`,
    `Message-ID: <${process.hrtime.bigint()}@good.test>`,
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
  ]
  return Buffer.from(`${header.join('\r\n')}\r\n\r\n${body}\r\n`)
}

/** A message with one base64 attachment, below `text`. */
export function mailWith(attachment: Buffer, name: string, text = 'Here it is.'): Buffer {
  return Buffer.from(
    `From: a@good.test
To: b@example.com
Subject: a file
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=part

--part
Content-Type: text/plain

${text}
--part
Content-Type: application/octet-stream; name="${name}"
Content-Disposition: attachment; filename="${name}"
Content-Transfer-Encoding: base64

${base64Lines(attachment)}
--part--
`.replaceAll(/\r?\n/g, '\r\n'),
  )
}

/** A message of about that many octets, every line different. */
export function bigMail(octets: number): Buffer {
  const lines = base64Lines(randomBytes(Math.round((octets * 54) / 74)))
  const fields = ['Content-Type: application/octet-stream', 'Content-Transfer-Encoding: base64']
  return Buffer.from(
    `From: a@good.test\r\nTo: b@example.com\r\nSubject: big\r\n${fields.join('\r\n')}\r\n\r\n${lines}\r\n`,
  )
}

function base64Lines(data: Buffer): string {
  return data.toString('base64').replace(/.{72}/g, '$&\r\n')
}

/** In one piece. */
export function whole(octets: Buffer): ScanContent {
  return { size: octets.length, chunks: () => octets }
}

/** In pieces, as a store hands out a large content. */
export function stored(octets: Buffer, piece = 256 * 1024): Content {
  return {
    size: octets.length,
    async *chunks() {
      for (let at = 0; at < octets.length; at += piece) yield octets.subarray(at, at + piece)
    },
  }
}

/** A zip archive of one stored file; `encrypted` only says so, which is all that a scanner can see. */
export function zip(name: string, data: Buffer, { encrypted = false } = {}): Buffer {
  const crc = crc32(data)
  const common = Buffer.alloc(26)
  common.writeUInt16LE(20, 0) // version needed
  common.writeUInt16LE(encrypted ? 1 : 0, 2)
  common.writeUInt32LE(crc, 10)
  common.writeUInt32LE(data.length, 14)
  common.writeUInt32LE(data.length, 18)
  common.writeUInt16LE(name.length, 22)
  const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, Buffer.from(name), data])
  const central = Buffer.concat([
    Buffer.from('PK\x01\x02\x14\0', 'latin1'),
    common,
    Buffer.alloc(14),
    Buffer.from(name),
  ])
  const end = Buffer.alloc(18)
  end.writeUInt16LE(1, 4)
  end.writeUInt16LE(1, 6)
  end.writeUInt32LE(central.length, 8)
  end.writeUInt32LE(local.length, 12)
  return Buffer.concat([local, central, Buffer.from('PK\x05\x06'), end])
}
