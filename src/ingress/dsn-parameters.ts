// What a client may say of delivery status notifications (RFC 3461 §4): RET and ENVID of MAIL, NOTIFY and ORCPT of RCPT.
// Pure; undefined for what is malformed, which the client is told with 501. Whatever comes out is printable: it will
// stand in a report.
import type { DsnOccasion, Envelope } from '../mail/envelope.ts'
import { decodeXtext, unescapeUtf8Address } from '../mail/xtext.ts'

/** RFC 3461 §4.4, §4.2: octets as they stand in the command. */
const LONGEST_ENVELOPE_ID = 100
const LONGEST_ORIGINAL_RECIPIENT = 500

const OCCASIONS: ReadonlyMap<string, DsnOccasion> = new Map([
  ['SUCCESS', 'success'],
  ['FAILURE', 'failure'],
  ['DELAY', 'delay'],
])

/** RET: FULL or HDRS. */
export function parseRet(value: string): Envelope['ret'] {
  switch (value.toUpperCase()) {
    case 'FULL':
      return 'full'
    case 'HDRS':
      return 'headers'
    default:
      return undefined
  }
}

/** ENVID, decoded. */
export function parseEnvelopeId(value: string): string | undefined {
  return value === '' || value.length > LONGEST_ENVELOPE_ID ? undefined : decodeXtext(value)
}

/** NOTIFY: NEVER alone, which is an empty list, or each of the others at most once. */
export function parseNotify(value: string): readonly DsnOccasion[] | undefined {
  const words = value.toUpperCase().split(',')
  if (words.length === 1 && words[0] === 'NEVER') return []
  const occasions = words.map(word => OCCASIONS.get(word)).filter(occasion => occasion !== undefined)
  return occasions.length === words.length && new Set(words).size === words.length ? occasions : undefined
}

/** ORCPT: `rfc822;bob@example.com`, decoded. An address of the type `utf-8` may hold more than ASCII (RFC 6533 §3). */
export function parseOriginalRecipient(value: string): string | undefined {
  if (Buffer.byteLength(value) > LONGEST_ORIGINAL_RECIPIENT) return undefined
  const [, type, xtext] = /^([A-Za-z0-9-]+);(.+)$/.exec(value) ?? []
  if (type === undefined || xtext === undefined) return undefined
  const address = type.toLowerCase() === 'utf-8' ? decodeUtf8Address(xtext) : decodeXtext(xtext)
  return address === undefined ? undefined : `${type};${address}`
}

/** Either form of RFC 6533 §3: all in ASCII, or with characters as they are, which have no `+` of their own. */
function decodeUtf8Address(text: string): string | undefined {
  const ascii = /^[ -~]*$/.test(text) ? decodeXtext(text) : text
  return ascii === undefined ? undefined : unescapeUtf8Address(ascii)
}
