import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseXclient, parseXforward } from '../../src/ingress/xclient.ts'
import { replyText } from '../../src/mail/reply.ts'

describe('XCLIENT', () => {
  test.each<[string, object]>([
    ['ADDR=192.0.2.1 PORT=56324', { address: '192.0.2.1', port: 56_324 }],
    ['addr=ipv6:2001:DB8::1', { address: '2001:db8::1' }],
    ['ADDR=2001:db8::1', { address: '2001:db8::1' }],
    ['ADDR=IPV6:::ffff:192.0.2.1', { address: '192.0.2.1' }],
    ['ADDR=[UNAVAILABLE] PORT=[unavailable]', { address: undefined, port: undefined }],
    ['NAME=Client.Example.com', { name: 'client.example.com', nameTemporarilyUnknown: undefined }],
    ['NAME=[UNAVAILABLE]', { name: undefined, nameTemporarilyUnknown: undefined }],
    ['NAME=[TempUnavail]', { name: undefined, nameTemporarilyUnknown: true }],
    ['HELO=[192.0.2.1] PROTO=esmtp', { helo: '[192.0.2.1]', protocol: 'ESMTP' }],
    ['PROTO=SMTP HELO=a+2Bb', { protocol: 'SMTP', helo: 'a+b' }],
    ['LOGIN=bob@example.com', { login: 'bob@example.com' }],
    ['LOGIN=b+C3+BCcher', { login: 'bücher' }],
    ['LOGIN=a=b', { login: 'a=b' }],
    ['LOGIN=[UNAVAILABLE]', { login: undefined }],
    ['DESTADDR=198.51.100.2  DESTPORT=25 ', { destinationAddress: '198.51.100.2', destinationPort: 25 }],
  ])('%s', (argument, attributes) => {
    expect(parseXclient(argument)).toStrictEqual({ attributes })
  })

  test.each([
    '',
    'ADDR',
    'ADDR=',
    '=192.0.2.1',
    'ADDR=192.0.2',
    'ADDR=[192.0.2.1]',
    'ADDR=fe80::1%eth0',
    'ADDR=192.0.2.1 ADDR=192.0.2.2',
    'ADDR=192.0.2.1 addr=192.0.2.1',
    'ADDR=[TEMPUNAVAIL]',
    'PORT=65536',
    'PORT=-1',
    'PORT=1e3',
    'NAME=a+20b',
    'NAME=bad<name>',
    'HELO=a+0D+0AMAIL',
    'HELO=a+00',
    'HELO=a+',
    'HELO=a+2',
    'HELO=a+ZZ',
    `HELO=${'a'.repeat(256)}`,
    'PROTO=LMTP',
    'LOGIN=bob+20smith',
    'LOGIN=bob+FF',
    'LOGIN=bob+0Asmith',
    'IDENT=1',
    '__proto__=1',
    'constructor=1',
  ])('refuses %j', argument => {
    const parsed = parseXclient(argument)
    expect('refused' in parsed && replyText(parsed.refused)).toMatch(/^501 5\.5\.4 /)
  })

  test('takes a value of 255 octets', () => {
    expect(parseXclient(`HELO=${'a'.repeat(255)}`)).toEqual({ attributes: { helo: 'a'.repeat(255) } })
  })
})

describe('XFORWARD', () => {
  test.each<[string, object]>([
    [
      'NAME=spike.example ADDR=192.0.2.1 PROTO=ESMTP',
      { name: 'spike.example', address: '192.0.2.1', protocol: 'ESMTP' },
    ],
    ['HELO=spike.example IDENT=4Wq1Xz SOURCE=remote', { helo: 'spike.example', ident: '4Wq1Xz', source: 'REMOTE' }],
    [
      'NAME=[UNAVAILABLE] ADDR=[UNAVAILABLE] PORT=[UNAVAILABLE]',
      { name: undefined, address: undefined, port: undefined },
    ],
    ['HELO=a+20b+3Cscript+3E+0D+0A', { helo: 'a?b?script???' }],
    ['SOURCE=LOCAL', { source: 'LOCAL' }],
  ])('%s', (argument, attributes) => {
    expect(parseXforward(argument)).toStrictEqual({ attributes })
  })

  test.each(['', 'LOGIN=bob', 'SOURCE=HERE', 'ADDR=x', 'PORT=x', `PROTO=${'a'.repeat(65)}`])('refuses %j', argument => {
    expect(parseXforward(argument)).toHaveProperty('refused.code', 501)
  })
})

test('whatever a client says, no control character and no space gets into an attribute', () => {
  const octet = fc.nat(255).map(value => `+${value.toString(16).padStart(2, '0')}`)
  const value = fc.array(fc.oneof(octet, fc.string()), { maxLength: 6 }).map(parts => parts.join(''))
  const name = fc.constantFrom('NAME', 'ADDR', 'PORT', 'PROTO', 'HELO', 'LOGIN', 'DESTADDR', 'IDENT', 'SOURCE', 'x')
  const argument = fc.array(fc.tuple(name, value).map(pair => pair.join('='))).map(parts => parts.join(' '))
  fc.assert(
    fc.property(argument, text => {
      for (const parsed of [parseXclient(text), parseXforward(text)]) {
        if ('refused' in parsed) continue
        expect(Object.values(parsed.attributes).join('')).not.toMatch(/[\p{C}\p{Z}]/u)
      }
    }),
    { numRuns: 1000 },
  )
})
