// The header section of a content, over its octets: where it ends, which fields it has, what is left without some.
// Tolerant, since it reads what strangers wrote: a line that is no field is listed without a name and kept in place,
// a content without an empty line is all header. Every function is linear in the octets that it is given.

/** A field's place in its section; `end` is behind its CRLF, continuation lines included. */
export type Field = Readonly<{
  /** In lower case, '' for what is not a field. */
  name: string
  start: number
  /** Behind the colon. */
  valueStart: number
  end: number
}>

const CRLF = Buffer.from('\r\n')
const EMPTY_LINE = Buffer.from('\r\n\r\n')
const LF = 10
const CR = 13
const TAB = 9
const SPACE = 32
const COLON = 58

/** The most that a Message-ID may have (RFC 5322 §2.1.1: a line); a longer one is no use as a key. Other values, too. */
const LONGEST_MESSAGE_ID = 998

/** Octets of the header section, its last CRLF included; the empty line that follows is not part of it. */
export function headerLength(content: Buffer): number {
  if (content[0] === CR && content[1] === LF) return 0
  const emptyLine = content.indexOf(EMPTY_LINE)
  return emptyLine === -1 ? content.length : emptyLine + CRLF.length
}

/** The fields of a header section, top first. */
export function* fieldsOf(section: Buffer): Generator<Field> {
  let start = 0
  while (start < section.length) {
    let end = lineEnd(section, start)
    while (section[end] === SPACE || section[end] === TAB) end = lineEnd(section, end)
    yield fieldAt(section, start, end)
    start = end
  }
}

function lineEnd(section: Buffer, from: number): number {
  const at = section.indexOf(CRLF, from)
  return at === -1 ? section.length : at + CRLF.length
}

function fieldAt(section: Buffer, start: number, end: number): Field {
  let colon = start
  while (colon < end && section[colon] !== COLON) colon++
  // White space before the colon is obsolete (RFC 5322 §4.5.8) but read by many: a forged field must not hide there.
  const name = section.toString('latin1', start, colon).trimEnd()
  const isField = colon < end && /^[!-~]+$/.test(name)
  return { name: isField ? name.toLowerCase() : '', start, valueStart: isField ? colon + 1 : start, end }
}

/** A field's value, unfolded and without the white space around it. */
export function fieldValue(section: Buffer, { valueStart, end }: Field): string {
  return section.toString('utf8', valueStart, end).replaceAll('\r\n', '').trim()
}

/** The values of all fields of that name (in lower case), top first. */
export function valuesOf(section: Buffer, name: string): string[] {
  const values: string[] = []
  for (const field of fieldsOf(section)) if (field.name === name) values.push(fieldValue(section, field))
  return values
}

export type HeaderSummary = Readonly<{
  /** `Received` fields: the hops so far. */
  hopCount: number
  /** The first Message-ID with its angle brackets; absent where there is none that could serve as a name. */
  messageId?: string
  /** It says of itself that it went to many: `Precedence: bulk`, or the fields of mailing lists (RFC 2369, RFC 2919). */
  bulk: boolean
}>

const LIST_FIELDS: readonly string[] = ['list-id', 'list-unsubscribe', 'list-post']
const BULK = /^(bulk|list|junk)$/i

/** What ingress wants to know, in one pass. `head` is the beginning of a content. */
export function summariseHeader(head: Buffer): HeaderSummary {
  const section = head.subarray(0, headerLength(head))
  let hopCount = 0
  let messageId: string | undefined
  let bulk = false
  for (const field of fieldsOf(section)) {
    if (field.name === 'received') hopCount++
    if (field.name === 'message-id') messageId ??= messageIdIn(section, field)
    bulk ||= LIST_FIELDS.includes(field.name) || (field.name === 'precedence' && isBulk(section, field))
  }
  return messageId === undefined ? { hopCount, bulk } : { hopCount, messageId, bulk }
}

function isBulk(section: Buffer, field: Field): boolean {
  return field.end - field.valueStart <= LONGEST_MESSAGE_ID && BULK.test(fieldValue(section, field))
}

function messageIdIn(section: Buffer, field: Field): string | undefined {
  if (field.end - field.valueStart > LONGEST_MESSAGE_ID) return undefined
  return /<[^<>\s\p{Cc}]+>/u.exec(fieldValue(section, field))?.[0]
}

/**
 * A header section without the fields that `remove` picks; the rest keeps its octets and order. The same buffer
 * when nothing is removed. `value` is read only when asked for.
 */
export function withoutFields(section: Buffer, remove: (name: string, value: () => string) => boolean): Buffer {
  const kept: Buffer[] = []
  let keptFrom = 0
  let removed = false
  for (const field of fieldsOf(section)) {
    if (field.name === '' || !remove(field.name, () => fieldValue(section, field))) continue
    if (field.start > keptFrom) kept.push(section.subarray(keptFrom, field.start))
    keptFrom = field.end
    removed = true
  }
  if (!removed) return section
  kept.push(section.subarray(keptFrom))
  return Buffer.concat(kept)
}
