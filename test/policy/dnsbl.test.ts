// Denylists on a real resolver.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Dns } from '../../src/platform/dns.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { createPluginMetrics } from '../../src/plugins/plugin-metrics.ts'
import { createDnsbl } from '../../src/policy/dnsbl.ts'
import { publicName, queryName } from '../../src/policy/dnsbl-zone.ts'
import { contextFor, deadDns, from, records, said, settings, startDns, whyOf } from './ask.ts'

const KEY = 'abcdefghijklmnopqrstuvwxyz'
const IPV6 = '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2'
let dns: Dns
let stop: () => Promise<void>

beforeAll(async () => {
  const zones =
    '  local-zone: "broken.test." refuse\n' +
    records(
      '66.113.0.203.bl.test. 60 IN A 127.0.0.2',
      '66.113.0.203.bl.test. 60 IN TXT "seen sending spam"',
      '66.113.0.203.second.test. 60 IN A 127.0.0.4',
      '67.113.0.203.bl.test. 60 IN A 127.0.0.10',
      '68.113.0.203.bl.test. 60 IN A 127.255.255.254',
      '69.113.0.203.bl.test. 60 IN A 192.0.2.1',
      '66.113.0.203.good.test. 60 IN A 127.0.0.1',
      `66.113.0.203.${KEY}.zen.dq.spamhaus.test. 60 IN A 127.0.0.2`,
      `${IPV6}.bl.test. 60 IN A 127.0.0.2`,
    )
  ;({ dns, stop } = await startDns(zones))
})
afterAll(() => stop())

function dnsbl(config: object, parts = {}) {
  return createDnsbl(settings('dnsbl', config), contextFor('dnsbl', { dns, ...parts }))
}

const bl = { zones: [{ zone: 'bl.test' }] }
const ask = (plugin: ReturnType<typeof dnsbl>, transaction = from({ address: '203.0.113.66' })) =>
  plugin.recipient!(transaction, 'bob@ours.test')

test('who is listed is refused, with the reason in the log', async () => {
  const plugin = dnsbl(bl)
  expect(await said(ask(plugin))).toBe('554 5.7.1 Client host [203.0.113.66] is listed by bl.test')
  expect(await whyOf(ask(plugin))).toBe('listed by bl.test 127.0.0.2 (seen sending spam); weight 1')
})

test('who is not listed passes', async () => {
  expect(await said(ask(dnsbl(bl), from({ address: '203.0.113.1' })))).toBe('pass')
})

test('an IPv6 client is asked about by its nibbles', async () => {
  expect(queryName('2001:db8::1', 'bl.test')).toBe(`${IPV6}.bl.test`)
  expect(queryName('::ffff:192.0.2.1', 'bl.test')).toBe('1.2.0.192.bl.test')
  const text = '554 5.7.1 Client host [2001:db8::1] is listed by bl.test'
  expect(await said(ask(dnsbl(bl), from({ address: '2001:db8::1' })))).toBe(text)
})

describe('weights', () => {
  const zones = (first: number, second: number, third = 0) => [
    { zone: 'bl.test', weight: first },
    { zone: 'second.test', weight: second },
    { zone: 'good.test', weight: third },
  ]

  test('are added up', async () => {
    const plugin = dnsbl({ zones: zones(1, 2), reject_weight: 3 })
    expect(await said(ask(plugin))).toBe('554 5.7.1 Client host [203.0.113.66] is listed by bl.test, second.test')
  })

  test('below reject_weight are a suspicion, told once', async () => {
    const plugin = dnsbl({ zones: zones(1, 1), reject_weight: 3 })
    const why = 'listed by bl.test 127.0.0.2 (seen sending spam), second.test 127.0.0.4, good.test 127.0.0.1; weight 2'
    expect(await said(ask(plugin))).toBe(`tag: ${why}`)
    expect(await said(ask(plugin, from({ address: '203.0.113.66', suspicions: [`dnsbl: ${why}`] })))).toBe('pass')
  })

  test('of a zone that speaks for the client count against the others', async () => {
    expect(await said(ask(dnsbl({ zones: zones(1, 1, -2), reject_weight: 1 })))).toBe('pass')
    const refused = '554 5.7.1 Client host [203.0.113.66] is listed by bl.test, second.test'
    expect(await said(ask(dnsbl({ zones: zones(2, 1, -2), reject_weight: 1 })))).toBe(refused)
  })
})

test('only the answers that the zone is asked for are listings', async () => {
  const plugin = dnsbl({ zones: [{ zone: 'bl.test', answers: ['127.0.0.2', '127.0.0.4/30'] }] })
  expect(await said(ask(plugin))).toContain('554')
  expect(await said(ask(plugin, from({ address: '203.0.113.67' })))).toBe('pass')
})

describe('an error lists nobody', () => {
  test.each([
    ['Spamhaus refusing our resolver', { zone: 'bl.test', answers: ['127.0.0.0/8'] }, '203.0.113.68'],
    ['a zone that became something else', { zone: 'bl.test' }, '203.0.113.69'],
    ['a zone that does not answer', { zone: 'broken.test' }, '203.0.113.66'],
  ])('%s', async (_, zone, address) => {
    const { registry } = createMetrics()
    const plugin = dnsbl({ zones: [zone] }, { metrics: createPluginMetrics(registry, 'dnsbl') })
    expect(await said(ask(plugin, from({ address })))).toBe('pass')
    const metrics = await registry.metrics()
    expect(metrics).toContain(`elemta_plugin_dnsbl_errors_total{zone="${zone.zone}"} 1`)
    expect(metrics).toContain(`elemta_plugin_dnsbl_listings_total{zone="${zone.zone}"} 0`)
  })

  test('and the other zones still count', async () => {
    const plugin = dnsbl({ zones: [{ zone: 'broken.test' }, { zone: 'bl.test' }] })
    expect(await said(ask(plugin))).toBe('554 5.7.1 Client host [203.0.113.66] is listed by bl.test')
  })
})

test('a DNS that is down stops no mail', async () => {
  expect(await said(ask(dnsbl(bl, { dns: deadDns })))).toBe('pass')
})

test('who is trusted or on the allowlist passes', async () => {
  const address = '203.0.113.66'
  expect(await said(ask(dnsbl(bl), from({ address, trusted: true })))).toBe('pass')
  expect(await said(ask(dnsbl({ ...bl, allowlist: ['203.0.113.64/28'] }), from({ address })))).toBe('pass')
})

test('the zones are asked at the connection, and once for all its recipients', async () => {
  const names: string[] = []
  const counting: Dns = {
    ...dns,
    a: name => {
      names.push(name)
      return dns.a(name)
    },
  }
  let now = Date.now()
  const plugin = dnsbl(bl, { dns: counting, now: () => now })
  const transaction = from({ address: '203.0.113.66' })
  expect(await said(plugin.connect!(transaction))).toBe('pass')
  expect(names).toEqual(['66.113.0.203.bl.test'])
  expect(await said(ask(plugin, transaction))).toContain('554')
  expect(await said(ask(plugin, transaction))).toContain('554')
  expect(names).toHaveLength(1)
  now += 6 * 60_000
  expect(await said(ask(plugin, transaction))).toContain('554')
  expect(names).toHaveLength(2)
})

test('the key of an account is told to nobody', async () => {
  const zone = `${KEY}.zen.dq.spamhaus.test`
  const plugin = dnsbl({ zones: [{ zone }] })
  expect(await said(ask(plugin))).toBe('554 5.7.1 Client host [203.0.113.66] is listed by zen.dq.spamhaus.test')
  expect(await whyOf(ask(plugin))).not.toContain(KEY)
  expect(publicName('zen.spamhaus.org')).toBe('zen.spamhaus.org')
})

test('an answer that cannot be one is told at the start', () => {
  expect(() => dnsbl({ zones: [{ zone: 'bl.test', answers: ['127.0.0.300'] }] })).toThrow(/answers of bl\.test/)
})
