// What is urgent, by what is known when a message is accepted.
import { expect, test } from 'vitest'
import { summariseHeader } from '../../src/mail/header.ts'
import { type PrioritySettings, priorityOf } from '../../src/mail/priority.ts'

const settings: PrioritySettings = { enabled: true, size: 50_000, recipients: 3, authenticated_only: false }
const client = { address: '192.0.2.7', port: 1, helo: 'a', esmtp: true }
const ask = (
  changed: { size?: number; to?: number; from?: string; user?: string; header?: string } = {},
  some: Partial<PrioritySettings> = {},
) => {
  const { size = 5000, to = 1, from = 'ann@sender.test', user, header = 'Subject: x' } = changed
  const recipients = Array.from({ length: to }, (_, n) => ({ address: `${n}@example.com` }))
  const envelope = { reversePath: from, recipients, smtputf8: false, body: '7BIT' } as const
  const { bulk } = summariseHeader(Buffer.from(`${header}\r\n\r\nbody\r\n`))
  return priorityOf(
    { size, envelope, client: { ...client, ...(user !== undefined && { user }) }, bulk },
    { ...settings, ...some },
  )
}

test('small mail to few is high, up to the limits', () => {
  expect(ask()).toBe('high')
  expect(ask({ size: 50_000, to: 3 })).toBe('high')
  expect(ask({ size: 50_001 })).toBe('normal')
  expect(ask({ to: 4 })).toBe('normal')
})

test.each([
  'Precedence: bulk',
  'PRECEDENCE:  List ',
  'Precedence: junk',
  'List-Id: News <news.shop.test>',
  'List-Unsubscribe: <https://shop.test/u>',
  'Subject: x\r\nList-Post: NO',
])('%s: low, however small', header => {
  expect(ask({ header })).toBe('low')
  expect(ask({ header, user: 'ann' })).toBe('low')
})

test.each(['Precedence: first-class', 'X-List-Id: a', `Precedence: ${'bulk'.repeat(400)}`])(
  '%.30s: not low',
  header => {
    expect(ask({ header })).toBe('high')
  },
)

test('what the null sender sends is never high', () => {
  expect(ask({ from: '' })).toBe('normal')
})

test('authenticated_only: only users have what is urgent', () => {
  expect(ask({}, { authenticated_only: true })).toBe('normal')
  expect(ask({ user: 'ann' }, { authenticated_only: true })).toBe('high')
})

test('switched off, everything is normal', () => {
  expect(ask({}, { enabled: false })).toBe('normal')
  expect(ask({ header: 'Precedence: bulk' }, { enabled: false })).toBe('normal')
})
