// AUTH PLAIN and LOGIN as clients say them, rightly and wrongly (RFC 4954, RFC 4616).
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type SaslStep, startSasl } from '../../src/ingress/sasl.ts'
import { replyText } from '../../src/mail/reply.ts'

const base64 = (text: string | Buffer) => Buffer.from(text).toString('base64')

/** What the session and the client say to each other, until there are credentials or a refusal. */
function dialogue(mechanism: string, ...lines: (string | undefined)[]): string[] {
  const [initial, ...rest] = lines
  let step = startSasl(mechanism, initial)
  const said: string[] = []
  for (;;) {
    said.push(show(step))
    if (step.kind !== 'challenge') return said
    const line = rest.shift()
    if (line === undefined) return said
    step = step.continue(line)
  }
}

function show(step: SaslStep): string {
  if (step.kind === 'challenge') return `334 ${step.text}`
  return step.kind === 'refused' ? replyText(step.reply) : `${step.user} / ${step.password}`
}

const INVALID = '535 5.7.8 Authentication credentials invalid'
const NOT_BASE64 = '501 5.5.2 That is not base64'
const MALFORMED = '501 5.5.2 That is no message of this mechanism'
const CANCELLED = '501 5.0.0 Authentication cancelled'

describe('PLAIN', () => {
  test('in the command itself', () => {
    expect(dialogue('PLAIN', base64('\0alice\0s3cret'))).toEqual(['alice / s3cret'])
    expect(dialogue('plain', base64('\0älice\0pässwörd'))).toEqual(['älice / pässwörd'])
  })
  test('after an empty challenge', () => {
    expect(dialogue('PLAIN', undefined, base64('\0alice\0s3cret'))).toEqual(['334 ', 'alice / s3cret'])
  })
  test('acting as oneself is allowed, as another is not', () => {
    expect(dialogue('PLAIN', base64('alice\0alice\0s3cret'))).toEqual(['alice / s3cret'])
    expect(dialogue('PLAIN', base64('root\0alice\0s3cret'))).toEqual([INVALID])
  })
  test.each([
    ['no NUL', base64('alice')],
    ['one NUL', base64('alice\0s3cret')],
    ['three NULs', base64('\0alice\0s3cret\0')],
    ['an empty response', '='],
    ['no UTF-8', base64(Buffer.from([0, 0x61, 0xff, 0, 0x62]))],
  ])('malformed: %s', (_, line) => {
    expect(dialogue('PLAIN', line)).toEqual([MALFORMED])
  })
  test.each([
    ['no name', '\0\0s3cret'],
    ['no password', '\0alice\0'],
    ['a line break in the name', '\0alice\r\nQUIT\0s3cret'],
    ['a name of 321 octets', `\0${'a'.repeat(321)}\0s3cret`],
    ['a password of 4097 octets', `\0alice\0${'p'.repeat(4097)}`],
  ])('cannot be right: %s', (_, text) => {
    expect(dialogue('PLAIN', base64(text))).toEqual([INVALID])
  })
  test('a long name and password are taken', () => {
    const [name, password] = ['a'.repeat(320), 'p'.repeat(4096)]
    expect(dialogue('PLAIN', base64(`\0${name}\0${password}`))).toEqual([`${name} / ${password}`])
  })
})

describe('LOGIN', () => {
  const prompts = [`334 ${base64('Username:')}`, `334 ${base64('Password:')}`]
  test('asks for both', () => {
    expect(dialogue('LOGIN', undefined, base64('alice'), base64('s3cret'))).toEqual([...prompts, 'alice / s3cret'])
  })
  test('takes the name in the command', () => {
    expect(dialogue('login', base64('alice'), base64('s3cret'))).toEqual([prompts[1], 'alice / s3cret'])
  })
  test('an empty name or password is a wrong one', () => {
    expect(dialogue('LOGIN', '=', base64('s3cret')).at(-1)).toBe(INVALID)
    expect(dialogue('LOGIN', undefined, base64('alice'), '').at(-1)).toBe(INVALID)
  })
  test('NUL is in no name and no password', () => {
    expect(dialogue('LOGIN', base64('a\0b'), base64('s3cret')).at(-1)).toBe(INVALID)
    expect(dialogue('LOGIN', base64('alice'), base64('s3\0cret')).at(-1)).toBe(INVALID)
  })
  test('no UTF-8', () => {
    expect(dialogue('LOGIN', base64(Buffer.from([0xff])))).toEqual([MALFORMED])
    expect(dialogue('LOGIN', base64('alice'), base64(Buffer.from([0xff]))).at(-1)).toBe(MALFORMED)
  })
})

describe('refused', () => {
  test.each(['CRAM-MD5', 'XOAUTH2', 'EXTERNAL', 'ANONYMOUS', '', 'PLAINX'])('mechanism %j', mechanism => {
    expect(dialogue(mechanism, '=')).toEqual(['504 5.5.4 Unknown mechanism, choose PLAIN or LOGIN'])
  })
  test('the client cancels at any point', () => {
    expect(dialogue('PLAIN', undefined, '*').at(-1)).toBe(CANCELLED)
    expect(dialogue('LOGIN', undefined, '*').at(-1)).toBe(CANCELLED)
    expect(dialogue('LOGIN', base64('alice'), '*').at(-1)).toBe(CANCELLED)
  })
  test.each(['a', 'YWJj=', 'YWJ', 'Y===', 'YW Jj', 'YWJj\n', 'YWJ-', '*', 'QUIT.'])('no base64: %j', line => {
    expect(dialogue('PLAIN', line)).toEqual([NOT_BASE64])
  })
  test('a line longer than RFC 4954 allows', () => {
    expect(dialogue('LOGIN', undefined, 'A'.repeat(12_292))).toEqual([
      `334 ${base64('Username:')}`,
      '500 5.5.6 Authentication exchange line is too long',
    ])
  })
})

test('any octets end in credentials without NUL and control characters, or in a refusal', () => {
  const octets = fc.uint8Array({ maxLength: 60 }).map(array => Buffer.from(array).toString('base64'))
  const near = fc.string({ unit: 'binary' }).map(text => base64(`\0${text}`))
  const line = fc.oneof(octets, near, fc.string())
  fc.assert(
    fc.property(fc.constantFrom('PLAIN', 'LOGIN'), line, line, (mechanism, one, other) => {
      let step = startSasl(mechanism, one)
      if (step.kind === 'challenge') step = step.continue(other)
      if (step.kind === 'challenge') step = step.continue(other)
      if (step.kind === 'refused') expect([500, 501, 535]).toContain(step.reply.code)
      else if (step.kind === 'credentials') expect(step.user).not.toMatch(/\p{Cc}/u)
      else expect.unreachable('a third challenge')
    }),
  )
})
