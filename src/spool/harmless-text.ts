// Text of strangers for the eyes of an operator: nothing in it steers a terminal, hides, or changes the order of what
// is read. Pure, and linear in what it is given.

/** Encoded words (RFC 2047 §2), and the white space between two of them. */
const ENCODED_WORD = /=\?([\w.:-]{1,40})(?:\*[\w-]{1,20})?\?([bBqQ])\?([!->@-~]{0,2000})\?=(?:[ \t]{1,80}(?==\?))?/g

/** What a terminal obeys, and what no reader sees (marks of direction, zero widths, variation tags). */
const HARMFUL = /[^\P{C}\n\t]|\u034F|[\p{Zl}\p{Zp}\u115F\u1160\u3164\uFFA0]/gu

/** Each such character as its number: `\u{1b}`. Tabs and line ends stay; a lone CR does not. */
export function harmless(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .replaceAll(HARMFUL, character => `\\u{${character.codePointAt(0)!.toString(16)}}`)
}

/** In one line and not longer than `most` characters. */
export function harmlessLine(text: string, most = 1000): string {
  const line = harmless(text.slice(0, 4 * most).replaceAll(/[\r\n\t]+/g, ' '))
  return line.length > most ? `${line.slice(0, most)}…` : line
}

/** A header field's value with its encoded words decoded; those that cannot be stay as they are. */
export function decodeWords(value: string): string {
  return value.replaceAll(ENCODED_WORD, (word, charset: string, encoding: string, text: string) => {
    const octets =
      encoding.toLowerCase() === 'b'
        ? Buffer.from(text, 'base64')
        : decodeQuotedPrintable(Buffer.from(text.replaceAll('_', ' '), 'latin1'))
    return decodeCharset(octets, charset) ?? word
  })
}

/** Undefined for a charset that nobody knows. */
export function decodeCharset(octets: Uint8Array, charset: string): string | undefined {
  try {
    return new TextDecoder(charset).decode(octets)
  } catch {
    return undefined
  }
}

const EQUALS = 61

/** RFC 2045 §6.7; what is not encoded well stays as it is. */
export function decodeQuotedPrintable(encoded: Buffer): Buffer {
  const octets = Buffer.alloc(encoded.length)
  let length = 0
  for (let at = 0; at < encoded.length; at++) {
    if (encoded[at] !== EQUALS) {
      octets[length++] = encoded[at]!
      continue
    }
    const next = encoded.toString('latin1', at + 1, at + 3)
    if (next === '\r\n') at += 2
    else if (next[0] === '\n') at += 1
    else if (/^[\da-f]{2}$/i.test(next)) {
      octets[length++] = Number.parseInt(next, 16)
      at += 2
    } else octets[length++] = EQUALS
  }
  return octets.subarray(0, length)
}
