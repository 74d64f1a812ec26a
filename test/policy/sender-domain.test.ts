// Senders' domains, on a real resolver.
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Dns } from '../../src/platform/dns.ts'
import { createSenderDomain } from '../../src/policy/sender-domain.ts'
import { contextFor, deadDns, from, records, said, settings, startDns } from './ask.ts'

let dns: Dns
let stop: () => Promise<void>

beforeAll(async () => {
  const zones = records(
    'with-mx.test. 60 IN MX 10 mail.with-mx.test.',
    'with-a.test. 60 IN A 203.0.113.9',
    'with-aaaa.test. 60 IN AAAA 2001:db8::9',
    'no-mail.test. 60 IN MX 0 .',
    'text-only.test. 60 IN TXT "v=spf1 -all"',
    'xn--bcher-kva.test. 60 IN MX 10 mail.with-mx.test.',
  )
  ;({ dns, stop } = await startDns(`  local-zone: "broken.test." refuse\n${zones}`))
})
afterAll(() => stop())

function sender(reversePath: string, config: object = {}, view = {}, resolver = dns): Promise<string> {
  const plugin = createSenderDomain(settings('sender-domain', config), contextFor('sender-domain', { dns: resolver }))
  return said(plugin.sender!(from({ reversePath, ...view })))
}

test.each(['a@with-mx.test', 'a@with-a.test', 'a@with-aaaa.test', 'a@xn--bcher-kva.test', ''])(
  '<%s> passes',
  async path => {
    expect(await sender(path)).toBe('pass')
  },
)

test.each([
  ['a@nobody.test', '550 5.1.8 Sender address refused: nobody.test has neither MX nor address'],
  ['a@text-only.test', '550 5.1.8 Sender address refused: text-only.test has neither MX nor address'],
  ['a@no-mail.test', '550 5.7.27 Sender address refused: no-mail.test takes no mail (null MX)'],
  ['a@[203.0.113.9]', '550 5.1.8 Sender address needs a domain'],
  ['a', '550 5.1.8 Sender address needs a domain'],
])('<%s> is refused', async (path, reply) => {
  expect(await sender(path)).toBe(reply)
})

test('a DNS that does not answer means later', async () => {
  const later = (domain: string) => `451 4.4.3 Sender address: ${domain} cannot be looked up now, try again later`
  expect(await sender('a@x.broken.test')).toBe(later('x.broken.test'))
  expect(await sender('a@with-mx.test', {}, {}, deadDns)).toBe(later('with-mx.test'))
})

test('half an answer refuses nobody for good', async () => {
  const half: Dns = { ...dns, aaaa: deadDns.aaaa }
  expect(await sender('a@nobody.test', {}, {}, half)).toContain('451 4.4.3')
  expect(await sender('a@with-a.test', {}, {}, half)).toBe('pass')
})

test('who is trusted, on the allowlist or of a domain that is not looked up passes', async () => {
  expect(await sender('a@nobody.test', {}, { trusted: true })).toBe('pass')
  expect(await sender('a@nobody.test', { allowlist: ['203.0.113.9'] })).toBe('pass')
  expect(await sender('a@sub.nobody.test', { domains: ['*.nobody.test'] })).toBe('pass')
  expect(await sender('a@nobody.test', { domains: ['*.nobody.test'] })).toContain('550')
})
