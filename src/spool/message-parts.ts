// What is in a message, for reading: header fields, the tree of its parts, text as text. Everything is bounded: parts,
// depth, fields, characters; what is beyond is said to be missing. Tolerant of whatever strangers write. Pure.
import { fieldsOf, fieldValue, headerLength } from '../mail/header.ts'
import { decodeCharset, decodeQuotedPrintable, decodeWords, harmless, harmlessLine } from './harmless-text.ts'
import { htmlToText } from './html-text.ts'

export type ViewedPart = Readonly<{
  /** `1.2`: the second part of the first one; '' is the message itself. */
  path: string
  type: string
  /** Octets as sent, encoded. */
  size: number
  filename?: string
  charset?: string
  encoding?: string
  /** Of text parts only. */
  text?: string
  /** Why it is not shown, or not whole. */
  note?: string
}>

export type MessageView = Readonly<{
  header: readonly Readonly<{ name: string; value: string }>[]
  parts: readonly ViewedPart[]
  /** What was left out, for people. */
  notes: readonly string[]
}>

const MOST_FIELDS = 200
const MOST_PARTS = 100
const DEEPEST = 12
const TEXT_OF_A_PART = 64 * 1024
const TEXT_OF_ALL = 256 * 1024
/** Octets of the empty line. */
const CRLF = 2

type Field = MessageView['header'][number]

export function partsOfMessage(octets: Buffer): MessageView {
  const parts: ViewedPart[] = []
  const notes: string[] = []
  let textLeft = TEXT_OF_ALL
  const { fields, body } = divide(octets)
  if (fields.length > MOST_FIELDS) notes.push(`${fields.length - MOST_FIELDS} more header fields`)
  walk('', fields, body, 0)
  if (parts.length > MOST_PARTS) notes.push('more parts than are shown')
  return { header: fields.slice(0, MOST_FIELDS), parts: parts.slice(0, MOST_PARTS), notes }

  function walk(path: string, fields: readonly Field[], body: Buffer, depth: number): void {
    if (parts.length > MOST_PARTS) return
    const { type, parameters } = contentType(firstOf(fields, 'content-type'))
    const encoding = firstOf(fields, 'content-transfer-encoding').toLowerCase().split(/[\s;]/)[0]!.slice(0, 40)
    const disposition = contentType(firstOf(fields, 'content-disposition')).parameters
    const filename = disposition.filename ?? parameters.name
    const about = {
      path,
      type,
      size: body.length,
      ...(filename !== undefined && { filename }),
      ...(parameters.charset !== undefined && { charset: parameters.charset }),
      ...(encoding !== '' && { encoding }),
    }
    const below = (n: number) => (path === '' ? `${n}` : `${path}.${n}`)
    const composed = type.startsWith('multipart/') || type === 'message/rfc822'
    if (composed && depth === DEEPEST) {
      parts.push({ ...about, note: 'nested too deeply to be shown' })
    } else if (type.startsWith('multipart/')) {
      parts.push(about)
      const pieces = split(body, parameters.boundary ?? '')
      for (const [n, piece] of pieces.entries()) {
        const { fields, body } = divide(piece)
        walk(below(n + 1), fields, body, depth + 1)
      }
    } else if (type === 'message/rfc822') {
      parts.push(about)
      const inner = divide(body)
      walk(below(1), inner.fields, inner.body, depth + 1)
    } else if (type.startsWith('text/')) {
      parts.push({ ...about, ...textOf(body, type, encoding, parameters.charset ?? 'utf-8') })
    } else parts.push(about)
  }

  function textOf(body: Buffer, type: string, encoding: string, charset: string): Pick<ViewedPart, 'text' | 'note'> {
    const most = Math.min(TEXT_OF_A_PART, textLeft)
    // A character may be four octets, an octet three of quoted-printable; markup is cut before it is read.
    const raw = body.subarray(0, 16 * TEXT_OF_A_PART)
    const octets =
      encoding === 'base64'
        ? Buffer.from(raw.toString('latin1'), 'base64')
        : encoding === 'quoted-printable'
          ? decodeQuotedPrintable(raw)
          : raw
    const decoded = decodeCharset(octets, charset) ?? octets.toString('latin1')
    const whole = harmless(type === 'text/html' ? htmlToText(decoded) : decoded)
    const text = whole.slice(0, most)
    textLeft -= text.length
    const cut = text.length < whole.length || raw.length < body.length
    return cut ? { text, note: 'not shown whole' } : { text }
  }
}

function divide(octets: Buffer): Readonly<{ fields: Field[]; body: Buffer }> {
  const length = headerLength(octets)
  const section = octets.subarray(0, length)
  const fields: Field[] = []
  for (const field of fieldsOf(section)) {
    if (fields.length > 10 * MOST_FIELDS) break
    if (field.name === '') continue
    const name = section.toString('latin1', field.start, field.valueStart - 1).trim()
    const value = fieldValue(section, field).slice(0, 20_000)
    fields.push({ name: harmlessLine(name, 100), value: harmlessLine(decodeWords(value), 2000) })
  }
  return { fields, body: octets.subarray(length === 0 ? 2 : Math.min(length + CRLF, octets.length)) }
}

function firstOf(fields: readonly Field[], name: string): string {
  return fields.find(field => field.name.toLowerCase() === name)?.value ?? ''
}

type Named = Readonly<{ type: string; parameters: Readonly<Record<string, string | undefined>> }>

/** `type; name=value; name="value"` (RFC 2045 §5.1); of RFC 2231 what names files have: `filename*=utf-8''x`. */
function contentType(value: string): Named {
  const type = /^[\w!#$&^.+-]{1,80}\/[\w!#$&^.+-]{1,80}/.exec(value)?.[0]?.toLowerCase() ?? 'text/plain'
  const parameters: Record<string, string> = {}
  for (const [, name = '', star, quoted, plain = ''] of value.matchAll(
    /;\s{0,80}([\w-]{1,40})(\*)?\s{0,80}=\s{0,80}(?:"((?:[^"\\]|\\.){0,1000})"|([^\s;"]{1,1000}))/g,
  )) {
    const text = quoted?.replaceAll(/\\(.)/g, '$1') ?? plain
    parameters[name.toLowerCase()] ??= harmlessLine(star === undefined ? decodeWords(text) : extended(text), 300)
  }
  return { type, parameters }
}

function extended(text: string): string {
  const [charset = '', , encoded = ''] = text.split("'")
  const octets = Buffer.from(
    encoded.replaceAll(/%([\da-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  )
  return decodeCharset(octets, charset) ?? text
}

/** The parts between lines of `--boundary` (RFC 2046 §5.1.1); the rest where the last one has no end. */
function split(body: Buffer, boundary: string): Buffer[] {
  if (boundary === '') return []
  const mark = Buffer.from(`--${boundary}`)
  const pieces: Buffer[] = []
  let from: number | undefined
  for (let at = body.indexOf(mark); at !== -1 && pieces.length <= MOST_PARTS; at = body.indexOf(mark, at + 1)) {
    const atLine = at === 0 || body[at - 1] === 10
    if (!atLine) continue
    if (from !== undefined) pieces.push(body.subarray(from, Math.max(from, at - 2)))
    const end = body.indexOf('\r\n', at)
    from = body.toString('latin1', at + mark.length, at + mark.length + 2) === '--' || end === -1 ? undefined : end + 2
    if (from === undefined) return pieces
  }
  if (from !== undefined) pieces.push(body.subarray(from))
  return pieces
}
