// Content as it goes over the wire after DATA: a dot before each line that begins with one, CRLF.CRLF behind it all
// (RFC 5321 §4.5.2). Every other octet stays as it is. The content has clean line ends: LF only as part of CRLF.

export type DotStuffer = Readonly<{
  /** The next octets of the content, stuffed; the same buffer where there is nothing to stuff. */
  stuff(chunk: Buffer): Buffer
  /** What ends the content: with a CRLF of its own where the content has none at its end. */
  end(): Buffer
}>

const LF = 10
const DOT = 46
const LF_DOT = Buffer.from('\n.')
const END = Buffer.from('.\r\n')
const CRLF_END = Buffer.from('\r\n.\r\n')

/** For one content; chunks may be cut anywhere. */
export function createDotStuffer(): DotStuffer {
  let atLineStart = true
  return {
    stuff(chunk) {
      if (chunk.length === 0) return chunk
      const startsLine = atLineStart
      atLineStart = chunk.at(-1) === LF
      return (startsLine && chunk[0] === DOT) || chunk.includes(LF_DOT) ? stuffed(chunk, startsLine) : chunk
    },
    end: () => (atLineStart ? END : CRLF_END),
  }
}

/** Octet by octet: a content made of dots costs no more than any other. */
function stuffed(chunk: Buffer, startsLine: boolean): Buffer {
  // Each stuffed dot but the first octet's stands behind an LF: at most one for two octets.
  const out = Buffer.allocUnsafe(chunk.length + (chunk.length >> 1) + 1)
  let length = 0
  let before = startsLine ? LF : 0
  for (let at = 0; at < chunk.length; at++) {
    const octet = chunk[at]!
    if (octet === DOT && before === LF) out[length++] = DOT
    out[length++] = octet
    before = octet
  }
  return out.subarray(0, length)
}
