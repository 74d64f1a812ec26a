import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fieldsOf, fieldValue, headerLength, summariseHeader, valuesOf, withoutFields } from '../../src/mail/header.ts'

const section = (...lines: string[]) => Buffer.from(lines.map(line => `${line}\r\n`).join(''))
const names = (octets: Buffer) => Array.from(fieldsOf(octets), field => field.name)

describe('the header section', () => {
  test.each([
    ['Subject: x\r\n\r\nbody\r\n', 'Subject: x\r\n'],
    ['Subject: x\r\n', 'Subject: x\r\n'],
    ['\r\nbody\r\n', ''],
    ['', ''],
    ['Subject: x', 'Subject: x'],
  ])('of %j is %j', (content, expected) => {
    expect(content.slice(0, headerLength(Buffer.from(content)))).toBe(expected)
  })

  test('has its fields in order, folded ones whole, names in lower case', () => {
    const octets = section('Received: from a', '\tby b', 'SUBJECT: one', ' two', 'X-Empty:', 'To:c')
    expect(Array.from(fieldsOf(octets), field => [field.name, fieldValue(octets, field)])).toEqual([
      ['received', 'from a\tby b'],
      ['subject', 'one two'],
      ['x-empty', ''],
      ['to', 'c'],
    ])
  })

  test('keeps what is no field apart, wherever it stands', () => {
    expect(names(section(' folded from nothing', 'no colon', 'b ad: 1', ': nameless', 'Good: 1'))).toEqual([
      '',
      '',
      '',
      '',
      'good',
    ])
  })

  test('shows a field that hides behind blanks before its colon', () => {
    expect(names(section('X-Spam-Flag : NO', 'X-Spam-Flag', '\t: NO'))).toEqual(
      ['x-spam-flag', '', ''].slice(0, 1).concat('x-spam-flag'),
    )
  })
})

describe('removing fields', () => {
  const forged = section('X-Spam-Flag: NO', ' really', 'Subject: a', 'junk', 'x-spam-FLAG: NO', 'To: b', 'X-Spam-Flag:')

  test('leaves everything else as it was', () => {
    const left = withoutFields(forged, name => name === 'x-spam-flag')
    expect(left.toString()).toBe('Subject: a\r\njunk\r\nTo: b\r\n')
  })

  test('may look at the value', () => {
    const left = withoutFields(forged, (name, value) => name === 'x-spam-flag' && value() === 'NO really')
    expect(valuesOf(left, 'x-spam-flag')).toEqual(['NO', ''])
  })

  test('copies nothing when there is nothing to remove', () => {
    expect(withoutFields(forged, name => name === 'absent')).toBe(forged)
  })

  test('of all leaves nothing', () => {
    expect(withoutFields(section('A: 1', 'B: 2'), () => true).length).toBe(0)
  })

  test('keeps every octet of the rest, whatever the section looks like', () => {
    const line = fc.constantFrom(
      'A: 1\r\n',
      'B: 2\r\n',
      ' more\r\n',
      'junk\r\n',
      ':\r\n',
      '\r',
      '\n',
      'A:',
      '\r\n',
      'é\0',
    )
    fc.assert(
      fc.property(fc.array(line), lines => {
        const octets = Buffer.from(lines.join(''), 'latin1')
        const all = Array.from(fieldsOf(octets))
        expect(all.map(({ start, end }) => octets.toString('latin1', start, end)).join('')).toBe(
          octets.toString('latin1'),
        )
        const left = withoutFields(octets, name => name === 'a')
        const removed = all.filter(field => field.name === 'a').reduce((sum, { start, end }) => sum + end - start, 0)
        expect(left.length).toBe(octets.length - removed)
      }),
    )
  })
})

describe('the summary for ingress', () => {
  test('counts hops and finds the Message-ID, in the header alone', () => {
    const content = Buffer.concat([
      section('Received: 1', 'received: 2', 'Message-ID:', ' <a.b@c> (comment)', 'Message-ID: <second@c>', ''),
      section('Received: 3'),
    ])
    expect(summariseHeader(content)).toEqual({ hopCount: 2, messageId: '<a.b@c>', bulk: false })
  })

  test.each(['Message-ID: none', 'Message-ID: <a b>', `Message-ID: <${'x'.repeat(1000)}@c>`, 'X: <a@b>'])(
    'has no Message-ID for %.20s',
    line => {
      expect(summariseHeader(section(line)).messageId).toBeUndefined()
    },
  )

  test('of 60,000 fields and of a line of 1 MB is right', () => {
    const many = Buffer.from(`${'Received: x\r\n'.repeat(60_000)}Message-ID: <a@b>\r\n\r\n`)
    expect(summariseHeader(many)).toEqual({ hopCount: 60_000, messageId: '<a@b>', bulk: false })
    const long = Buffer.from(`Subject: ${'x'.repeat(1_000_000)}\r\nMessage-ID: <a@b>\r\n\r\n`)
    expect(summariseHeader(long)).toEqual({ hopCount: 0, messageId: '<a@b>', bulk: false })
  })
})
