import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalDomain, parseForwardPath, parseReversePath } from '../../src/mail/address.ts'

const address = (text: string, smtputf8 = false) => {
  const parsed = parseForwardPath(text, smtputf8)
  return parsed.ok ? parsed.address : parsed.problem
}

describe('an address', () => {
  test.each([
    ['bob@example.com', 'bob@example.com'],
    ['Bob.Miller+tag@EXAMPLE.Com', 'Bob.Miller+tag@example.com'],
    ["o'neil/x=y#z@example.com", "o'neil/x=y#z@example.com"],
    ['u@localhost', 'u@localhost'],
    ['u@exa_mple.test', 'u@exa_mple.test'],
    ['u@XN--BCHER-KVA.example', 'u@xn--bcher-kva.example'],
    ['u@[192.0.2.1]', 'u@[192.0.2.1]'],
    ['u@[IPv6:2001:DB8::1]', 'u@[ipv6:2001:db8::1]'],
    ['"john doe"@example.com', '"john doe"@example.com'],
    ['"bob"@example.com', 'bob@example.com'],
    ['"\\b\\o\\b"@example.com', 'bob@example.com'],
    ['"a\\"b\\\\c"@example.com', '"a\\"b\\\\c"@example.com'],
    ['"a..b"@example.com', '"a..b"@example.com'],
    ['@relay.test,@other.test:bob@example.com', 'bob@example.com'],
    ['Postmaster', 'postmaster'],
  ])('%s is %s', (text, expected) => {
    expect(address(text)).toBe(expected)
  })

  test.each([
    '',
    'bob',
    'bob@',
    '@example.com',
    'bob@@example.com',
    'a@b@example.com',
    '.bob@example.com',
    'bob.@example.com',
    'a..b@example.com',
    'a b@example.com',
    'a(comment)@example.com',
    '"unclosed@example.com',
    '"a"b@example.com',
    '"tab\there"@example.com',
    'u@example.com.',
    'u@.example.com',
    'u@exam ple.com',
    'u@-example.com',
    'u@example-.com',
    'u@192.0.2.1',
    'u@[192.0.2.256]',
    'u@[192.0.2.1',
    'u@[IPv6:fe80::1%eth0]',
    'u@[x400:c=de]',
    'u@xn--zzzzzzzzzzzzzz--.test',
    `u@${'l'.repeat(64)}.test`,
    '@relay.test:',
    '@relay.test bob@example.com',
    '@,:bob@example.com',
    'bo\0b@example.com',
    'bob@exam\0ple.com',
    'bob@example.com\r\nRCPT TO:<eve@example.com>',
  ])('%j is none', text => {
    expect(address(text)).toBe('syntax')
    expect(parseReversePath(text === '' ? '@' : text, true)).toEqual({ ok: false, problem: 'syntax' })
  })

  test.each([
    [`${'l'.repeat(64)}@example.com`, true],
    [`${'l'.repeat(65)}@example.com`, false],
    [`u@${'d'.repeat(60)}.${'d'.repeat(60)}.${'d'.repeat(60)}.${'d'.repeat(60)}.abcdefgh`, true],
    [`u@${'d'.repeat(60)}.${'d'.repeat(60)}.${'d'.repeat(60)}.${'d'.repeat(60)}.abcdefghi`, false],
    [`${'ü'.repeat(33)}@example.com`, false],
  ])('%s has an allowed length: %s', (text, allowed) => {
    expect(parseForwardPath(text, true)).toMatchObject(allowed ? { ok: true } : { problem: 'too-long' })
  })

  test.each(['user%other.test@example.com', 'other.test!user@example.com', '"user@other.test"@example.com'])(
    '%s asks a recipient’s server for more routing and is refused',
    text => {
      expect(address(text)).toBe('routed')
      expect(parseReversePath(text, false)).toMatchObject({ ok: true })
    },
  )

  test('full-width signs do not hide a route', () => {
    expect(address('user\uff05other.test@example.com', true)).toBe('routed')
  })

  test('nothing is the null sender, and no recipient', () => {
    expect(parseReversePath('', false)).toEqual({ ok: true, address: '' })
    expect(parseForwardPath('', false)).toEqual({ ok: false, problem: 'syntax' })
  })
})

describe('an address beyond ASCII', () => {
  test('needs SMTPUTF8, in the local part and in the domain', () => {
    expect(address('jürgen@example.com')).toBe('needs-smtputf8')
    expect(address('u@bücher.example')).toBe('needs-smtputf8')
    expect(address('jürgen@example.com', true)).toBe('jürgen@example.com')
  })

  test.each([
    ['bücher.example', 'xn--bcher-kva.example'],
    ['BÜCHER.Example', 'xn--bcher-kva.example'],
    ['bu\u0308cher.example', 'xn--bcher-kva.example'],
    ['straße.example', 'xn--strae-oqa.example'],
    ['例え.テスト', 'xn--r8jz45g.xn--zckzah'],
  ])('the domain %s is %s', (text, expected) => {
    expect(canonicalDomain(text)).toBe(expected)
  })

  test.each([
    'local\u3002test', // an ideographic full stop would become a dot
    'local\uff0etest',
    'ｅxample.test', // a full-width letter would become ASCII
    'exa\u00admple.test', // a soft hyphen would vanish
    'b\u00adücher.test',
    '\u212aelvin.test', // lower case of the Kelvin sign is k
    'a\u2024b.test',
    '℀.test',
    'ü'.repeat(64),
  ])('the domain %j means something else when mapped, and is refused', text => {
    expect(canonicalDomain(text)).toBeUndefined()
  })

  test.each(['\ufffd', '\u0085', '\u2028', '\u202e', '\u00a0', '\ud800', '\ufeff'])('%j is in no local part', sign => {
    expect(address(`a${sign}b@example.com`, true)).toBe('syntax')
  })
})

test('no text makes the parser throw, and what it returns it returns again', () => {
  const pieces = fc.constantFrom(
    'a',
    '.',
    '@',
    '"',
    '\\',
    '[',
    ']',
    ':',
    ',',
    'IPv6:',
    '::1',
    'ü',
    '\u3002',
    '%',
    ' ',
    '\0',
  )
  const texts = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(pieces).map(parts => parts.join('')),
  )
  fc.assert(
    fc.property(texts, text => {
      const parsed = parseReversePath(text, true)
      if (parsed.ok) expect(parseReversePath(parsed.address, true)).toEqual(parsed)
    }),
  )
})
