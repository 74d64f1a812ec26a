import { describe, expect, test } from 'vitest'
import { authservId, isForged, traceHeader } from '../../src/deliver/trace-headers.ts'
import { acceptedMessage, HOSTNAME, QUEUE_ID } from './messages.ts'

const client = { address: '192.0.2.7', port: 25, helo: 'client.example', esmtp: true }
const header = (message = acceptedMessage(), more = {}) =>
  traceHeader({ message, hostname: HOSTNAME, headers: [], ...more }).toString()

describe('Received', () => {
  test('tells who handed the message over, to whom, how and when', () => {
    expect(header()).toBe(
      [
        'Received: from client.example ([192.0.2.7])',
        `\tby ${HOSTNAME} with ESMTP id ${QUEUE_ID}`,
        '\tfor <bob@example.com>;',
        '\tSun, 22 Nov 2026 01:37:05 +0000',
        '',
      ].join('\r\n'),
    )
  })

  test('names no recipient when there are several: nobody learns of the others', () => {
    expect(header(acceptedMessage(['a@example.com', 'b@example.com']))).not.toContain('for ')
  })

  test.each([
    [{ esmtp: false }, false, 'SMTP'],
    [{ tls: 'TLSv1.3' }, false, 'ESMTPS'],
    [{ tls: 'TLSv1.3', user: 'u' }, false, 'ESMTPSA'],
    [{ user: 'u' }, true, 'UTF8SMTPA'],
    [{}, true, 'UTF8SMTP'],
  ])('%j, SMTPUTF8 %s: with %s', (more, smtputf8, expected) => {
    const message = acceptedMessage(undefined, { client: { ...client, ...more }, envelope: { smtputf8 } })
    expect(header(message)).toContain(`with ${expected} id`)
  })

  test('writes an IPv6 address as a literal', () => {
    expect(header(acceptedMessage(undefined, { client: { ...client, address: '2001:db8::7' } }))).toContain(
      'from client.example ([IPv6:2001:db8::7])',
    )
  })

  test.each([
    ['x)\r\nX-Spam-Flag: NO', 'from x???X-Spam-Flag:?NO ('],
    ['', 'from unknown ('],
    ['[IPv6:::1]', 'from [IPv6:::1] ('],
    ['müller.example', 'from m?ller.example ('],
  ])('takes the client’s name %j with care', (helo, expected) => {
    expect(header(acceptedMessage(undefined, { client: { ...client, helo } }))).toContain(expected)
  })
})

test('in a mailbox Return-Path and Delivered-To stand on top', () => {
  const text = header(undefined, { deliveredTo: 'bob@example.com' })
  expect(text).toMatch(/^Return-Path: <alice@sender.example>\r\nDelivered-To: bob@example.com\r\nReceived: /)
  const bounce = acceptedMessage(undefined, { envelope: { reversePath: '' } })
  expect(header(bounce, { deliveredTo: 'bob@example.com' })).toMatch(/^Return-Path: <>\r\n/)
})

describe('a verdict header', () => {
  const verdict = (value: string) => {
    const text = header(undefined, { headers: [{ name: 'X-Spam-Status', value }] })
    return text.slice(text.indexOf('X-Spam-Status'))
  }
  test.each([
    ['Yes', 'X-Spam-Status: Yes\r\n'],
    ['Yes, score=7\r\n\ttests=[A]', 'X-Spam-Status: Yes, score=7\r\n\ttests=[A]\r\n'],
    ['Yes\n tests=[A]', 'X-Spam-Status: Yes\r\n tests=[A]\r\n'],
    ['Yes\r\nBcc: everybody', 'X-Spam-Status: Yes  Bcc: everybody\r\n'],
    ['Yes\0\0Bcc: x\x1b', 'X-Spam-Status: Yes  Bcc: x\r\n'],
    ['Yes\r\n \r\nbody', 'X-Spam-Status: Yes     body\r\n'],
    ['Yes\r\n', 'X-Spam-Status: Yes\r\n'],
  ])('%j becomes %j', (value, expected) => {
    expect(verdict(value)).toBe(expected)
  })
})

describe('forged:', () => {
  test.each([
    ['x-spam-flag', 'YES', true],
    ['x-spam', 'YES', true],
    ['x-spamd-result', 'default: False', true],
    ['x-virus-scanned', 'clean', true],
    ['x-rspamd-score', '0', true],
    ['x-spammer', 'no', false],
    ['return-path', '<x@example>', true],
    ['delivered-to', 'x@example', false],
    ['received', 'from x', false],
    ['authentication-results', 'mx.example.com; spf=pass', true],
    ['authentication-results', 'MX.Example.COM 1; spf=pass', true],
    ['authentication-results', '(a (nested\\)) comment) mx.example.com; none', true],
    ['authentication-results', '"mx.example.com"; none', true],
    ['authentication-results', '"mx\\.example.com"; none', true],
    ['authentication-results', '(never ends mx.example.com; none', true],
    ['authentication-results', '; spf=pass', true],
    ['authentication-results', 'other.example; spf=pass (mx.example.com)', false],
    ['authentication-results', 'xmx.example.com; spf=pass', false],
  ])('%s: %s is %s', (name, value, expected) => {
    expect(isForged(name, () => value, HOSTNAME)).toBe(expected)
  })

  test('an authserv-id is read behind comments and white space', () => {
    expect(authservId('  ( a )\t(b) mx.example.com/1; x')).toBe('mx.example.com/1')
  })
})
