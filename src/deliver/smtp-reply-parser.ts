// Cuts what a next hop sends into replies (RFC 5321 §4.2.1). Knows no socket.
// Bounded: a line of at most 4 KiB, a reply of at most 100 lines; whatever is no reply throws GarbledReplyError, since
// a dialogue that was misunderstood once means nothing any more. A line end of LF alone is taken too: many send it.

/** What a next hop said. */
export type NextHopReply = Readonly<{
  code: number
  /** The text of each line, without the code and without control characters. */
  lines: readonly string[]
}>

export class GarbledReplyError extends Error {
  override readonly name = 'GarbledReplyError'
}

const LONGEST_LINE = 4096
const MOST_LINES = 100
/** Octets of a reply that people get to see. */
const LONGEST_TEXT = 1000
const LF = 10
const CR = 13
const EMPTY = Buffer.alloc(0)
const REPLY_LINE = /^([2-5]\d\d)(?:([ -])(.*))?$/s
const ENHANCED_CODE = /^[245]\.\d{1,3}\.\d{1,3} /

/** The parser of one connection: hand it every chunk, get the replies that are complete. */
export function createReplyParser(): (chunk: Buffer) => NextHopReply[] {
  let unfinishedLine: Buffer = EMPTY
  let code = 0
  let lines: string[] = []

  return function push(chunk) {
    const replies: NextHopReply[] = []
    const octets = unfinishedLine.length === 0 ? chunk : Buffer.concat([unfinishedLine, chunk])
    let start = 0
    for (let end = octets.indexOf(LF); end !== -1; end = octets.indexOf(LF, start)) {
      if (takeLine(octets, start, octets[end - 1] === CR && end > start ? end - 1 : end)) {
        replies.push({ code, lines })
        lines = []
      }
      start = end + 1
    }
    if (octets.length - start > LONGEST_LINE) throw new GarbledReplyError('a reply line of more than 4 KiB')
    unfinishedLine = start === octets.length ? EMPTY : octets.subarray(start)
    return replies
  }

  /** True when the line is the last one of its reply. */
  function takeLine(octets: Buffer, start: number, end: number): boolean {
    if (end - start > LONGEST_LINE) throw new GarbledReplyError('a reply line of more than 4 KiB')
    const line = octets.toString('utf8', start, end).replaceAll(/\p{Cc}/gu, ' ')
    const [, digits, separator, text = ''] = REPLY_LINE.exec(line) ?? []
    if (digits === undefined) throw new GarbledReplyError(`not an SMTP reply: ${shorten(line, 80)}`)
    if (lines.length > 0 && Number(digits) !== code) {
      throw new GarbledReplyError(`a reply with the codes ${code} and ${digits}`)
    }
    code = Number(digits)
    if (lines.push(text) > MOST_LINES) throw new GarbledReplyError(`a reply of more than ${MOST_LINES} lines`)
    return separator !== '-'
  }
}

/** A reply in one line, for people: `550 5.1.1 No such user`. An enhanced code that each line repeats is said once. */
export function replyLine({ code, lines: [first = '', ...more] }: NextHopReply): string {
  const enhancedCode = ENHANCED_CODE.exec(first)?.[0]
  const rest = more.map(line =>
    enhancedCode && line.startsWith(enhancedCode) ? line.slice(enhancedCode.length) : line,
  )
  return shorten([code, first, ...rest].join(' ').trim(), LONGEST_TEXT)
}

function shorten(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}…` : text
}
