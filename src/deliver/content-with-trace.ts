// A content as it is delivered: our fields in front, forged ones taken out of its header section, the body untouched.
// Streams: of a header section beyond 256 KiB only a piece is held at a time, unless one field alone is larger.
// A content without a header, or with a broken one, passes as it is behind our fields.
import { headerLength, withoutFields } from '../mail/header.ts'
import type { Content } from '../storage/message-store.ts'
import { isForged, type TraceHeader, traceHeader } from './trace-headers.ts'

const PIECE = 256 * 1024
const CRLF = Buffer.from('\r\n')
const SPACE = 32
const TAB = 9

export async function* contentWithTrace(content: Content, trace: TraceHeader): AsyncGenerator<Buffer> {
  const forged = (name: string, value: () => string) => isForged(name, value, trace.hostname)
  let begun = false
  for await (const { part, octets } of partsOf(content)) {
    if (!begun) yield traceHeader(trace, isWhiteSpace(octets[0]))
    begun = true
    yield part === 'header' ? withoutFields(octets, forged) : octets
  }
  if (!begun) yield traceHeader(trace)
}

/** True when the header section holds octets beyond ASCII, as only SMTPUTF8 permits (RFC 6532 §3). */
export async function headerHasUtf8(content: Content): Promise<boolean> {
  for await (const { part, octets } of partsOf(content)) {
    if (part === 'body') return false
    if (octets.some(octet => octet > 127)) return true
  }
  return false
}

type Part = Readonly<{ part: 'header' | 'body'; octets: Buffer }>

/** The header section in one or more pieces of whole fields, then the body, its empty line first. */
async function* partsOf(content: Content): AsyncGenerator<Part> {
  let inBody = false
  let pending: Buffer[] = []
  let size = 0
  /** Not worth a look before there is as much as this: keeps the work linear. */
  let enough = 0
  for await (const chunk of content.chunks()) {
    if (inBody) {
      yield { part: 'body', octets: chunk }
      continue
    }
    pending.push(chunk)
    size += chunk.length
    if (size < enough) continue
    const octets = pending.length === 1 ? chunk : Buffer.concat(pending)
    inBody = headerLength(octets) < octets.length
    if (inBody) {
      yield* headerAndBody(octets)
    } else if (size >= PIECE) {
      const end = endOfWholeFields(octets)
      if (end > 0) yield { part: 'header', octets: octets.subarray(0, end) }
      pending = [octets.subarray(end)]
      size -= end
      enough = size + Math.max(PIECE, size)
    }
  }
  if (!inBody && size > 0) yield* headerAndBody(Buffer.concat(pending))
}

function* headerAndBody(octets: Buffer): Generator<Part> {
  const end = headerLength(octets)
  if (end > 0) yield { part: 'header', octets: octets.subarray(0, end) }
  if (end < octets.length) yield { part: 'body', octets: octets.subarray(end) }
}

/** Where the last field that may go on behind these octets begins; 0 when it is the only one. */
function endOfWholeFields(octets: Buffer): number {
  let at = octets.length
  do at = octets.lastIndexOf(CRLF, at - 1)
  while (at > 0 && (at + 2 === octets.length || isWhiteSpace(octets[at + 2])))
  return at === -1 ? 0 : at + 2
}

function isWhiteSpace(octet: number | undefined): boolean {
  return octet === SPACE || octet === TAB
}
