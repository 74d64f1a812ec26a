// Cuts what a client sends outside DATA into command lines. A line ends in CRLF and nowhere else: one with a bare LF in
// it gets one refusal for all of it, so that nobody in front of us can see fewer commands there than we do.
// Bounded: a line over 2048 octets is refused and dropped up to its end, an endless one ends the connection.
import type { Reply } from '../mail/reply.ts'
import { bareLfInCommand, lineTooLong, tooMuch } from './replies.ts'

/** `rest` is what comes behind; neither line nor refusal means that more input is needed. */
export type TakenLine = Readonly<{ line?: Buffer; refusal?: Reply; rest: Buffer }>

/** RFC 5321 §4.5.3.1.4 asks for 512, and more for extensions. */
const LONGEST_LINE = 2048
const MOST_DROPPED = 64 * 1024
const LF = 10
const CR = 13
const NOTHING: Buffer = Buffer.alloc(0)

/** `longest` in octets. Give it what was not consumed so far; it keeps only whether it is dropping a refused line. */
export function createLineReader(longest = LONGEST_LINE): (input: Buffer) => TakenLine {
  let dropped = 0
  let droppedCr = false

  /** Drops up to the line's CRLF, of which the CR may have come with the octets before. */
  function drop(input: Buffer): TakenLine {
    const lf = droppedCr && input[0] === LF ? 0 : input.indexOf('\r\n') + 1
    if (input[lf] === LF && (lf > 0 || droppedCr)) {
      dropped = 0
      return { rest: input.subarray(lf + 1) }
    }
    dropped += input.length
    droppedCr = input[input.length - 1] === CR
    return dropped > MOST_DROPPED ? { refusal: tooMuch, rest: NOTHING } : { rest: NOTHING }
  }

  function refuseUnfinished(refusal: Reply, octets: number, rest: Buffer): TakenLine {
    dropped = octets
    droppedCr = false
    return { refusal, rest }
  }

  return input => {
    if (dropped > 0) return drop(input)
    const lf = input.indexOf(LF)
    if (lf === -1) {
      if (input.length > longest) return refuseUnfinished(lineTooLong, input.length, NOTHING)
      // Copied, so that half a line does not keep a whole network buffer alive.
      return { rest: Buffer.from(input) }
    }
    if (input[lf - 1] !== CR) return refuseUnfinished(bareLfInCommand, lf + 1, input.subarray(lf + 1))
    const rest = input.subarray(lf + 1)
    return lf > longest ? { refusal: lineTooLong, rest } : { line: input.subarray(0, lf - 1), rest }
  }
}
