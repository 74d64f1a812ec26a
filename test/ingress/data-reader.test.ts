import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createDataReader } from '../../src/ingress/data-reader.ts'

/** Reads `wire` cut at the given places; what follows the end of DATA comes back as `rest`. */
function read(wire: string, cuts: readonly number[] = []) {
  const octets = Buffer.from(wire, 'latin1')
  const places = [...new Set([0, ...cuts.filter(cut => cut < octets.length), octets.length])].sort((a, b) => a - b)
  const pieces: Buffer[] = []
  const reader = createDataReader(piece => pieces.push(piece))
  for (let n = 1; n < places.length; n++) {
    const chunk = octets.subarray(places[n - 1], places[n])
    const end = reader.push(chunk)
    if (end !== -1) return { ...summary(), rest: octets.toString('latin1', places[n - 1]! + end) }
  }
  return { ...summary(), rest: undefined }

  function summary() {
    const { size, longestLine, bareLf, bareCr, nul } = reader
    return { content: Buffer.concat(pieces).toString('latin1'), size, longestLine, bareLf, bareCr, nul }
  }
}

const bytewise = (wire: string) =>
  read(
    wire,
    Array.from(wire, (_, n) => n),
  )
/** How an SMTP client sends a content (RFC 5321 §4.5.2). */
const stuff = (content: string) => `${content.replaceAll(/^\./gm, '..')}.\r\n`

/** Says the same by the book, on the whole text: what the reader must agree with however its input is cut. */
function byTheBook(wire: string) {
  const end = /(?:^|\r\n)\.\r\n/.exec(wire)
  if (end === null) return undefined
  const dot = end.index + end[0].length - 3
  const content = wire
    .slice(0, dot)
    .replaceAll(/(^|\r\n)\./g, '$1')
    .replaceAll(/(?<!\r)\n/g, '\r\n')
  return { content, rest: wire.slice(dot + 3) }
}

describe.each([
  ['whole', read],
  ['byte-wise', bytewise],
])('DATA read %s', (_, readIt) => {
  test.each([
    ['Subject: x\r\n\r\nHi\r\n.\r\n', 'Subject: x\r\n\r\nHi\r\n', ''],
    ['.\r\n', '', ''],
    ['.\r\nQUIT\r\n', '', 'QUIT\r\n'],
    ['a\r\n.\r\nMAIL FROM:<a@b>\r\n.\r\n', 'a\r\n', 'MAIL FROM:<a@b>\r\n.\r\n'],
    ['..\r\n.\r\n', '.\r\n', ''],
    ['...\r\n.\r\n', '..\r\n', ''],
    ['.x\r\n.\r\n', 'x\r\n', ''],
    ['..x\r\na.\r\n.\r\n', '.x\r\na.\r\n', ''],
    ['\r\n\r\n.\r\n', '\r\n\r\n', ''],
    ['a\tb\r\n.\r\n', 'a\tb\r\n', ''],
  ])('%j has the content %j and leaves %j', (wire, content, rest) => {
    expect(readIt(wire)).toMatchObject({
      content,
      rest,
      size: content.length,
      bareLf: false,
      bareCr: false,
      nul: false,
    })
  })

  test.each([
    ['a\n.\nb\r\n.\r\n', 'a\r\n.\r\nb\r\n'],
    ['a\n.\r\nb\r\n.\r\n', 'a\r\n.\r\nb\r\n'],
    ['a\r\n.\nb\r\n.\r\n', 'a\r\n\r\nb\r\n'],
    ['a\n..\r\nb\r\n.\r\n', 'a\r\n..\r\nb\r\n'],
    ['\n.\r\n.\r\n', '\r\n.\r\n'],
    ['.\n.\r\n\r\n.\r\n', '\r\n.\r\n\r\n'],
    ['\n\n\n.\r\n\r\n.\r\n', '\r\n\r\n\r\n.\r\n\r\n'],
  ])('%j has bare LFs: content %j, not ended by them', (wire, content) => {
    const result = readIt(wire)
    expect(result).toMatchObject({ content, rest: '', bareLf: true, bareCr: false })
    expect(readIt(stuff(result.content))).toMatchObject({ content, rest: '', bareLf: false })
  })

  test.each([
    'a\r.\r\r\n.\r\n',
    'a\r\n.\r\r\n.\r\n',
    'a\r.\r\n\r\n.\r\n',
    'a\r.\n\r\n.\r\n',
    'a\r\r\n.\r\n',
    'a\r\n.\rx\r\n.\r\n',
    'a\n.\r.\r\n\r\n.\r\n',
  ])('%j has a bare CR', wire => {
    expect(readIt(wire)).toMatchObject({ bareCr: true, rest: '' })
  })

  test.each(['\0\r\n.\r\n', 'a\r\n\0.\r\n\r\n.\r\n', 'a\r\n.\0\r\n.\r\n'])('%j has a NUL', wire => {
    expect(readIt(wire)).toMatchObject({ nul: true, rest: '' })
  })

  test.each(['', 'a', 'a\r\n', 'a\r\n.', 'a\r\n.\r', 'a\n.\n', 'a\n.\r\n', 'a\r\n.\n', 'a\r.\r', '..\r\n', '. \r\n'])(
    '%j is not ended',
    wire => {
      expect(readIt(wire).rest).toBeUndefined()
    },
  )

  test('the longest line is measured without line end and stuffing', () => {
    expect(readIt('ab\r\n..cdef\r\nx\nabcd\r\n.\r\n').longestLine).toBe(5)
    expect(readIt(`a\r\n${'x'.repeat(200)}\r\n.\r\n`).longestLine).toBe(200)
    expect(readIt(`a\r\n${'x'.repeat(200)}\n.\r\n\r\n.\r\n`).longestLine).toBe(200)
  })
})

const awkward = fc
  .array(fc.constantFrom('\r\n', '\r\n', '.', '.', '\n', '\r', 'a', '\0', 'x'.repeat(60), '\r\n.\r\n', '..\r\n'), {
    maxLength: 40,
  })
  .map(parts => parts.join(''))
const cuts = fc.array(fc.nat({ max: 400 }), { maxLength: 30 })

describe('any octets, cut anywhere', () => {
  test('give what the whole gives', () => {
    fc.assert(
      fc.property(awkward, cuts, (wire, at) => {
        const whole = read(wire)
        expect(read(wire, at)).toEqual(whole)
        expect(bytewise(wire)).toEqual(whole)
      }),
      { numRuns: 1000 },
    )
  })

  test('end where RFC 5321 says, and nowhere else', () => {
    fc.assert(
      fc.property(awkward, cuts, (wire, at) => {
        const result = read(wire, at)
        const expected = byTheBook(wire)
        expect(result.rest).toBe(expected?.rest)
        if (!result.bareCr && expected !== undefined) expect(result.content).toBe(expected.content)
      }),
      { numRuns: 1000 },
    )
  })

  test('come out in clean CRLF lines that survive being sent again', () => {
    fc.assert(
      fc.property(awkward, cuts, (wire, at) => {
        const { content, bareCr, rest } = read(wire, at)
        if (bareCr || rest === undefined) return
        expect(content).not.toMatch(/(?<!\r)\n|\r(?!\n)/)
        expect(read(stuff(content), at)).toMatchObject({ content, rest: '', bareLf: false, bareCr: false })
      }),
      { numRuns: 1000 },
    )
  })
})

describe('handing on', () => {
  test('does not copy where nothing changes', () => {
    const chunk = Buffer.from(`${'x'.repeat(76)}\r\n`.repeat(10))
    const last = Buffer.from('end\r\n.\r\nQUIT\r\n')
    const pieces: Buffer[] = []
    const reader = createDataReader(piece => pieces.push(piece))
    reader.push(chunk)
    reader.push(last)
    expect(pieces[0]).toBe(chunk)
    expect(pieces[1]!.buffer).toBe(last.buffer)
    expect(pieces[1]!.toString()).toBe('end\r\n')
  })

  test('makes few pieces of a chunk that is all dots or line feeds', () => {
    for (const unit of ['..\r\n', '\n', '.\n']) {
      let pieces = 0
      createDataReader(() => pieces++).push(Buffer.from(unit.repeat(16_384)))
      expect(pieces).toBeLessThan(4)
    }
  })
})
