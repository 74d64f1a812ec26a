// Authentication-Results of our own making, where rspamd gives none.
import { expect, test } from 'vitest'
import { withAuthenticationResults } from '../../src/scan/rspamd-authentication.ts'
import { accepted } from './messages.ts'

const HOSTNAME = 'mx.example.com'

function results(symbols: string[], message = accepted()): string {
  const scores = Object.fromEntries(symbols.map(symbol => [symbol, 0]))
  const fields = withAuthenticationResults([{ name: 'X-Other', value: '1' }], scores, message, HOSTNAME)
  expect(fields).toHaveLength(2)
  return fields[1]!.value.replaceAll('\r\n\t', ' ')
}

test('it tells SPF, DKIM and DMARC', () => {
  expect(results(['R_SPF_ALLOW', 'R_DKIM_ALLOW', 'DMARC_POLICY_ALLOW'])).toBe(
    'mx.example.com; dkim=pass; spf=pass smtp.mailfrom=a@good.test; dmarc=pass',
  )
  expect(results(['R_SPF_SOFTFAIL', 'R_DKIM_REJECT', 'DMARC_POLICY_SOFTFAIL'])).toBe(
    'mx.example.com; dkim=fail; spf=softfail smtp.mailfrom=a@good.test; dmarc=fail',
  )
})

test('one signature that passes is enough', () => {
  expect(results(['R_DKIM_REJECT', 'R_DKIM_ALLOW'])).toBe('mx.example.com; dkim=pass')
})

test('for a bounce it names whom SPF was asked about', () => {
  expect(results(['R_SPF_NA'], accepted({ envelope: { reversePath: '' } }))).toBe(
    'mx.example.com; spf=none smtp.helo=mx.good.test',
  )
})

test('who logged in is told; where nothing was checked it says so', () => {
  expect(results([], accepted({ client: { user: 'anna@example.com' } }))).toBe(
    'mx.example.com; auth=pass smtp.auth=anna@example.com',
  )
  expect(results([])).toBe('mx.example.com; none')
})

test('what a client chose cannot become a result', () => {
  const message = accepted({ envelope: { reversePath: '"x; dmarc=pass\\" y"@good.test' } })
  expect(results(['R_SPF_FAIL'], message)).toBe(
    String.raw`mx.example.com; spf=fail smtp.mailfrom="\"x; dmarc=pass\\\" y\"@good.test"`,
  )
})

test('rspamd’s own field stays, and there is only one', () => {
  const own = { name: 'authentication-results', value: 'mx.example.com; spf=pass' }
  const fields = withAuthenticationResults([own, { name: 'X', value: '1' }, own], {}, accepted(), HOSTNAME)
  expect(fields).toEqual([{ name: 'X', value: '1' }, own])
})
