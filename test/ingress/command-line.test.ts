import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createLineReader } from '../../src/ingress/command-line.ts'

/** What comes of octets that arrive in these pieces: lines as they are, refusals as their code. */
function read(pieces: Iterable<string>): (string | number)[] {
  const take = createLineReader()
  const seen: (string | number)[] = []
  let input = Buffer.alloc(0) as Buffer
  for (const piece of pieces) {
    input = Buffer.concat([input, Buffer.from(piece)])
    for (let before = -1; input.length > 0 && input.length !== before; ) {
      before = input.length
      const { line, refusal, rest } = take(input)
      if (line !== undefined) seen.push(line.toString())
      if (refusal !== undefined) seen.push(refusal.code)
      input = rest
    }
  }
  return seen
}

const long = 'x'.repeat(3000)

test.each([
  ['NOOP\r\nRSET\r\nQU', ['NOOP', 'RSET']],
  ['\r\nNOOP\r\n', ['', 'NOOP']],
  ['a\nb\nc\r\nNOOP\r\n', [500, 'NOOP']],
  ['\nNOOP\r\nRSET\r\n', [500, 'RSET']],
  ['a\n\r\nNOOP\r\n', [500, 'NOOP']],
  ['a\n\r\r\nNOOP\r\n', [500, 'NOOP']],
  [`${long}\r\nNOOP\r\n`, [500, 'NOOP']],
  [`${long}\n\r\nNOOP\r\n`, [500, 'NOOP']],
])('%.20j is cut into the same lines, at once or octet by octet', (octets, expected) => {
  expect(read(octets)).toEqual(expected)
  expect(read([octets])).toEqual(expected)
})

test('an endless line is given up', () => {
  expect(read(Array.from({ length: 30 }, () => long)).slice(0, 2)).toEqual([500, 421])
})

test('however the octets are cut, the lines are the same', () => {
  const octets = fc.array(fc.constantFrom('\r\n', '\r\n', '\r', '\n', 'NOOP', ' '), { maxLength: 20 })
  fc.assert(
    fc.property(octets, fc.array(fc.nat({ max: 40 }), { maxLength: 10 }), (parts, cuts) => {
      const text = parts.join('')
      const places = [0, ...cuts.filter(cut => cut < text.length).sort((a, b) => a - b), text.length]
      const pieces = places.slice(1).map((place, n) => text.slice(places[n], place))
      expect(read(pieces)).toEqual(read([text]))
    }),
    { numRuns: 1000 },
  )
})
