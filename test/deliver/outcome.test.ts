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
  expect(code('deferred', 'connection refused')).toBe('4.4.0')
  expect(code('deferred', 'no route leads to this domain', 'no route')).toBe('4.4.0')
  expect(code('deferred', 'could not be stored: disk full', 'maildir:mail')).toBe('4.3.0')
  expect(code('delivered', 'mail/new/1', 'maildir:mail/new/1')).toBe('2.0.0')
})
