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
      const leadingDot = atLineStart && chunk[0] === DOT
      atLineStart = chunk.at(-1) === LF
      const first = chunk.indexOf(LF_DOT)
      return leadingDot || first !== -1 ? stuffed(chunk, leadingDot, first) : chunk
    },
    end: () => (atLineStart ? END : CRLF_END),
  }
}

function stuffed(chunk: Buffer, leadingDot: boolean, first: number): Buffer {
  // Each stuffed dot but a leading one stands behind an LF and a dot of its own: at most one for two octets.
  const out = Buffer.allocUnsafe(chunk.length + (chunk.length >> 1) + 1)
  let length = 0
  if (leadingDot) out[length++] = DOT
  let from = 0
  for (let at = first; at !== -1; at = chunk.indexOf(LF_DOT, from)) {
    length += chunk.copy(out, length, from, at + 1)
    out[length++] = DOT
    from = at + 1
  }
  length += chunk.copy(out, length, from)
  return out.subarray(0, length)
}
