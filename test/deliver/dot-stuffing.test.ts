import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createDotStuffer } from '../../src/deliver/dot-stuffing.ts'
import { unstuff } from './unstuff.ts'

/** Content with clean line ends, rich in dots and line ends. */
const content = fc
  .array(fc.oneof(fc.constantFrom('\r\n', '.', '..', '\r\n.', '\r\n.\r\n', 'a'), fc.string({ unit: 'binary-ascii' })))
  .map(parts => parts.join('').replaceAll(/(?<!\r)\n|\r(?!\n)/g, ''))

function stuffed(text: string, cuts: readonly number[]): Buffer {
  const octets = Buffer.from(text, 'latin1')
  const stuffer = createDotStuffer()
  const ends = [...cuts.map(cut => cut % (octets.length + 1)).sort((a, b) => a - b), octets.length]
  const pieces = ends.map((end, n) => stuffer.stuff(octets.subarray(ends[n - 1] ?? 0, end)))
  return Buffer.concat([...pieces, stuffer.end()])
}

test('what a server reads is what was sent, however it was cut into chunks', () => {
  fc.assert(
    fc.property(content, fc.array(fc.nat()), (text, cuts) => {
      const wire = stuffed(text, cuts)
      const whole = text === '' || text.endsWith('\r\n') ? text : `${text}\r\n`
      expect(unstuff(wire).toString('latin1')).toBe(whole)
    }),
    { numRuns: 500 },
  )
})

test('nothing but the end looks like the end', () => {
  fc.assert(
    fc.property(content, fc.array(fc.nat()), (text, cuts) => {
      const wire = `\r\n${stuffed(text, cuts).toString('latin1')}`
      expect(wire.indexOf('\r\n.\r\n')).toBe(wire.length - 5)
    }),
    { numRuns: 500 },
  )
})

test('what has no dot at the start of a line is not copied', () => {
  const chunk = Buffer.from('Subject: a.b\r\n\r\n1. One\r\n')
  expect(createDotStuffer().stuff(chunk)).toBe(chunk)
})

test('a content of nothing but dots', () => {
  const stuffer = createDotStuffer()
  expect(stuffer.stuff(Buffer.alloc(3_000_000, '.\r\n')).equals(Buffer.alloc(4_000_000, '..\r\n'))).toBe(true)
})
