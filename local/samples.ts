// The sample mails of `elemta send`. EICAR and GTUBE are put together here, so that no file of this repository makes
// a virus scanner or a spam filter on a developer's machine jump.
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'

export const SAMPLES = ['clean', 'gtube', 'eicar', 'attachment'] as const
export type SampleName = (typeof SAMPLES)[number]

const EICAR = ['X5O!P%@AP[4\\PZX54(P^)7CC)7}', '$EICAR-STANDARD-', 'ANTIVIRUS-TEST-FILE!$H+H*'].join('')
const GTUBE = ['XJS*C4JDBQADN1', '.NSBN3*2IDNEN*', 'GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X'].join('')

/** A sample as it goes over the wire: CRLF line ends, a Message-ID of its own, dated `now` (milliseconds). */
export function sampleMail(name: SampleName, now: number): Buffer {
  const text = readFileSync(new URL(`./mail/${name}.eml`, import.meta.url), 'utf8')
    .replace('{date}', new Date(now).toUTCString().replace('GMT', '+0000'))
    .replace('{message-id}', `<${randomUUID()}@sender.example>`)
    .replace('{gtube}', GTUBE)
    .replace('{eicar}', Buffer.from(EICAR).toString('base64'))
  return Buffer.from(text.replaceAll(/\r?\n/g, '\r\n'))
}
