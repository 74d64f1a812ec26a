import { expect, test } from 'vitest'
import { headerField } from '../../src/mail/header-value.ts'

test.each([
  ['as it is', 'mx.example.com;\r\n\tspf=pass', 'mx.example.com;\r\n\tspf=pass'],
  ['line feeds', 'one\n two\n\tthree', 'one\r\n two\r\n\tthree'],
  ['what would be another field', 'one\r\nBcc: x@y.test\rTo: z', 'one\r\n Bcc: x@y.test\r\n To: z'],
  ['what would be the end of the header', 'one\r\n\r\n \r\nbody', 'one\r\n body'],
  ['controls and what is not ASCII', 'a\0b\x7fc\u00e9d\u{1f600}', 'a b?c?d?'],
  ['nothing', '', ''],
])('%s', (_name, value, expected) => {
  expect(headerField('X-Test', value)).toEqual({ name: 'X-Test', value: expected })
})

test('long lines are folded, at a space where there is one', () => {
  const words = headerField('X-Test', 'word '.repeat(1000))!.value
  expect(words.replaceAll('\r\n', '')).toBe('word '.repeat(1000).trim())
  const unbroken = headerField('X-Test', 'x'.repeat(5000))!.value
  expect(unbroken.replaceAll('\r\n ', '')).toBe('x'.repeat(5000))
  for (const line of [words, unbroken].flatMap(value => value.split('\r\n'))) expect(line.length).toBeLessThan(950)
})

test.each(['', 'X Test', 'X:', 'X\r\nY', 'Xé', 'x'.repeat(77)])('%j is no name', name => {
  expect(headerField(name, 'value')).toBeUndefined()
})
