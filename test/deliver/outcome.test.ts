// The enhanced code that an outcome is told with (RFC 3463).
import { expect, test } from 'vitest'
import { dsnCode, type OutcomeKind } from '../../src/deliver/outcome.ts'

const code = (kind: OutcomeKind, reply: string, nextHop = 'smtp://192.0.2.1:25') => dsnCode({ kind, nextHop, reply })

test('the next hop’s own code is told where it is of the outcome’s class', () => {
  expect(code('delivered', '250 2.6.0 Queued')).toBe('2.6.0')
  expect(code('failed', '550 5.7.26 DMARC')).toBe('5.7.26')
  expect(code('deferred', '451 4.7.1 Greylisted')).toBe('4.7.1')
  expect(code('deferred', '552 5.5.3 Too many recipients')).toBe('4.0.0')
  expect(code('failed', '451 4.7.1 Greylisted (given up after the queue lifetime)')).toBe('5.0.0')
})

test('without a code it says how far we came', () => {
  expect(code('delivered', '250 Ok')).toBe('2.0.0')
  expect(code('failed', '550 No such user')).toBe('5.0.0')
  expect(code('deferred', 'the attempt took too long')).toBe('4.4.0')
  expect(code('deferred', 'no route leads to this domain', 'no route')).toBe('4.4.0')
  expect(code('deferred', 'could not be stored: disk full', 'maildir:mail')).toBe('4.3.0')
  expect(code('delivered', 'mail/new/1', 'maildir:mail/new/1')).toBe('2.0.0')
})

test.each([
  ['connection refused', '4.1'],
  ['no connection within 30 s', '4.1'],
  ['host unreachable', '4.1'],
  ['connection closed by the next hop', '4.2'],
  ['no reply to RCPT within 300 s', '4.2'],
  ['the name service did not answer', '4.3'],
  ['host not found', '4.4'],
  ['TLS is required, but the next hop does not offer it', '7.4'],
  ['TLS failed: the certificate has expired', '7.5'],
  ['TLS failed: connection reset by the next hop', '7.5'],
  ['no login as relay: the next hop offers neither PLAIN nor LOGIN', '7.4'],
  ['no login as relay: 535 5.7.8 Wrong', '7.8'],
  ['no login as relay without TLS', '7.11'],
])('%s: X.%s, in the words of a report too', (reply, expected) => {
  expect(code('deferred', reply)).toBe(`4.${expected}`)
  expect(code('failed', `${reply} (given up after the queue lifetime)`)).toBe(`5.${expected}`)
})
