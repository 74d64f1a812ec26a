// Reads the octets after DATA: finds their end, removes stuffed dots, makes every line end CRLF. Knows no sockets.
// Only CRLF.CRLF ends DATA (the first CRLF may be the one of the DATA command), however the octets are cut into
// chunks. A bare LF ends a line of the content but never starts the end of DATA, and no dot behind it is removed:
// what a lenient reader could take for the end comes out as content, in clean CRLF, to be stuffed again on the way out.
// One pass, linear in every input; chunks in which nothing changes are handed on without copying.

export type DataReader = {
  /** Takes the next octets; returns how many belong to DATA when it ends among them, else -1. */
  push(chunk: Buffer): number
  /** Octets of content so far. */
  size: number
  /** Octets of the longest line, without its line end. */
  longestLine: number
  /** LF without CR was seen; it came out as CRLF. */
  bareLf: boolean
  /** CR without LF was seen. The content cannot be used: nobody knows what was meant. */
  bareCr: boolean
  /** A NUL was seen; it is in the content. */
  nul: boolean
}

const EMPTY: Buffer = Buffer.alloc(0)
const LONE_CR = Buffer.from('\r')
const NUL = 0
const LF = 10
const CR = 13
const DOT = 46

/** Where in a line the octet before the next one was. A line begins after CRLF only. */
const LINE_START = 0
const IN_LINE = 1
const AFTER_CR = 2
const AFTER_DOT = 3
const AFTER_DOT_CR = 4

/** Runs shorter than this are copied octet by octet: a native call costs more. */
const SHORT_RUN = 48

/** `emit` gets the content in order, in pieces that never change afterwards. */
export function createDataReader(emit: (piece: Buffer) => void): DataReader {
  const reader: DataReader = { push, size: 0, longestLine: 0, bareLf: false, bareCr: false, nul: false }
  let state = LINE_START
  /** Octets of the current line that came in earlier chunks. */
  let lineBefore = 0
  let chunk = EMPTY
  /** Octets of the chunk from here on are content and unchanged, but neither copied nor handed on yet. */
  let runStart = 0
  /** The changed copy of this chunk, once something had to change in it, and how much of it is filled. */
  let copy: Buffer | undefined
  let filled = 0
  return reader

  function push(next: Buffer): number {
    chunk = next
    runStart = 0
    const length = chunk.length
    let at = 0
    /** Where the current line would have begun, were it all in this chunk. */
    let lineStart = -lineBefore
    while (at < length) {
      if (state === IN_LINE) {
        while (at < length && next[at]! > CR) at++
        if (at === length) break
        const octet = next[at++]
        if (octet === CR) {
          if (at === length) state = AFTER_CR
          else if (next[at] === LF) {
            at++
            noteLine(at - 2 - lineStart)
            lineStart = at
            state = LINE_START
          } else reader.bareCr = true
        } else if (octet === LF) {
          reader.bareLf = true
          noteLine(at - 1 - lineStart)
          lineStart = at
          insertCrBefore(at - 1)
        } else if (octet === NUL) reader.nul = true
      } else if (state === LINE_START) {
        state = IN_LINE
        if (next[at] !== DOT) continue
        if (next[at + 1] === CR && next[at + 2] === LF) {
          handOnUpTo(at)
          return at + 3
        }
        if (at + 2 < length) copyUpTo(at)
        else {
          handOnUpTo(at)
          state = AFTER_DOT
        }
        runStart = lineStart = ++at
      } else if (state === AFTER_CR) {
        state = IN_LINE
        if (next[at] === LF) {
          at++
          noteLine(at - 2 - lineStart)
          lineStart = at
          state = LINE_START
        } else reader.bareCr = true
      } else if (state === AFTER_DOT) {
        state = IN_LINE
        if (next[at] === CR) {
          state = AFTER_DOT_CR
          runStart = ++at
        }
      } else {
        if (next[at] === LF) return at + 1
        reader.bareCr = true
        handOn(LONE_CR)
        state = IN_LINE
      }
    }
    lineBefore = length - lineStart
    handOnUpTo(length)
    return -1
  }

  function noteLine(octets: number): void {
    if (octets > reader.longestLine) reader.longestLine = octets
  }

  function copyUpTo(end: number): void {
    copy ??= Buffer.allocUnsafe(chunk.length + 1)
    if (end - runStart < SHORT_RUN) while (runStart < end) copy[filled++] = chunk[runStart++]!
    else filled += chunk.copy(copy, filled, runStart, end)
    runStart = end
  }

  function insertCrBefore(lf: number): void {
    copyUpTo(lf)
    const rest = chunk.length - lf
    if (filled + rest + 1 > copy!.length) {
      handOnUpTo(lf)
      copy = Buffer.allocUnsafe(2 * rest)
    }
    copy![filled++] = CR
  }

  function handOnUpTo(end: number): void {
    if (copy !== undefined) copyUpTo(end)
    const piece = copy?.subarray(0, filled) ?? (end - runStart === chunk.length ? chunk : chunk.subarray(runStart, end))
    copy = undefined
    filled = 0
    runStart = end
    if (piece.length > 0) handOn(piece)
  }

  function handOn(piece: Buffer): void {
    reader.size += piece.length
    emit(piece)
  }
}
