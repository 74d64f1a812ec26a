// The contents of a load. EICAR and GTUBE are those of the samples; ordinary text is different every time, so that no
// scanner answers from a cache, and has no line that begins with a dot.
import { sampleMail } from '../samples.ts'
import type { Kind } from './mix.ts'
import type { Random } from './random.ts'

const WORDS = `agenda answer autumn bridge budget calendar chapter client coffee colleague conference corner customer
delivery design dinner document draft edition engine evening example family figure friday garden group harbour history
holiday idea island journal journey kitchen language lesson letter library machine market meeting monday morning museum
music neighbour notice number office opinion order paper people picture plan present price project question railway
reader report result review river season section station story street student summer sunday table teacher theatre
thursday ticket town train update version visit water week window winter word workshop year yesterday`.split(/\s+/)

export const SENDER = 'load@sender.example'
const SHORT = 4000
const LINE_WORDS = 10

export type Wanted = Readonly<{
  kind: Kind
  recipient: string
  /** Octets of a big one. */
  big: number
  random: Random
  /** Milliseconds since 1970. */
  now: number
}>

/** As it goes over the wire, with a Message-ID of its own. */
export function messageFor({ kind, recipient, big, random, now }: Wanted): Buffer {
  if (kind === 'gtube' || kind === 'eicar') return sampleMail(kind, now)
  return textMail(recipient, kind === 'big' ? big : SHORT, random, now)
}

function textMail(recipient: string, size: number, random: Random, now: number): Buffer {
  const words = (count: number) => Array.from({ length: count }, () => random.among(WORDS)).join(' ')
  const id = Math.floor(random.fraction() * 1e15).toString(36)
  const head = [
    `From: Load <${SENDER}>`,
    `To: <${recipient}>`,
    `Subject: ${words(4)}`,
    `Date: ${new Date(now).toUTCString().replace('GMT', '+0000')}`,
    `Message-ID: <${id}.${now}@sender.example>`,
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    '',
    '',
  ].join('\r\n')
  const paragraph = Array.from({ length: SHORT / 80 }, () => `${words(LINE_WORDS)}\r\n`).join('')
  const times = Math.max(1, Math.ceil((size - head.length) / paragraph.length))
  return Buffer.from(head + paragraph.repeat(times))
}
