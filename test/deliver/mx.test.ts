// Delivery by MX, on a real resolver that knows the zones here and nothing else. Hosts are on loopback addresses, which
// only these tests allow; that others are refused is tested with the rule that holds outside.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createDeliverer, type Deliverer, type DelivererOptions } from '../../src/deliver/deliverer.ts'
import { findMailHosts, type MailHostsOptions } from '../../src/deliver/mx.ts'
import { mayConnectTo } from '../../src/deliver/public-address.ts'
import type { Dns } from '../../src/platform/dns.ts'
import { cachedDns } from '../../src/platform/dns-cache.ts'
import { deadDns, records, startDns } from '../policy/ask.ts'
import { deliverWith, HOSTNAME, told } from './messages.ts'
import { type NextHop, startNextHop } from './next-hop.ts'

let dns: Dns
let stopDns: () => Promise<void>
beforeAll(async () => {
  const zones =
    '  local-zone: "broken.test." refuse\n  local-zone: "mx.broken-host.test." refuse\n' +
    records(
      'two.test. 60 IN MX 20 second.two.test.',
      'two.test. 60 IN MX 10 First.Two.test.',
      'first.two.test. 60 IN A 127.0.0.9',
      'second.two.test. 60 IN A 127.0.0.1',
      'shared.test. 60 IN MX 10 first.two.test.',
      'shared.test. 60 IN MX 20 second.two.test.',
      'other.test. 60 IN MX 10 second.two.test.',
      'implicit.test. 60 IN A 127.0.0.1',
      'null.test. 60 IN MX 0 .',
      'text-only.test. 60 IN TXT "no mail here"',
      'no-host.test. 60 IN MX 10 missing.no-host.test.',
      'broken-host.test. 60 IN MX 10 mx.broken-host.test.',
      'half-broken.test. 60 IN MX 10 mx.broken-host.test.',
      'half-broken.test. 60 IN MX 20 second.two.test.',
      `us.test. 60 IN MX 10 ${HOSTNAME}.`,
      'us.test. 60 IN MX 20 second.two.test.',
      `backup.test. 60 IN MX 20 ${HOSTNAME}.`,
      'backup.test. 60 IN MX 10 second.two.test.',
      'backup.test. 60 IN MX 30 first.two.test.',
      ...['127.0.0.1', '10.1.2.3', '192.168.1.1', '169.254.169.254', '100.64.0.1', '0.0.0.0', '224.0.0.1'].map(
        (address, n) => `private${n}.test. 60 IN A ${address}`,
      ),
      'mixed.test. 60 IN MX 10 private3.test.',
      'mixed.test. 60 IN MX 20 public.test.',
      'public.test. 60 IN A 8.8.8.8',
      ...Array.from({ length: 8 }, (_, n) => `many.test. 60 IN MX ${n} m${n}.many.test.`),
      ...Array.from({ length: 8 }, (_, n) => `m${n}.many.test. 60 IN A 127.0.0.${n + 10}`),
    )
  const started = await startDns(zones)
  dns = started.dns
  stopDns = started.stop
})
afterAll(() => stopDns())

const onLoopback = (address: string) => address.startsWith('127.')
const find = (domain: string, options: Partial<MailHostsOptions> = {}) =>
  findMailHosts(domain, { dns, hostname: HOSTNAME, mayConnect: onLoopback, ipv6: false, random: () => 0.5, ...options })

async function namesOf(domain: string, options: Partial<MailHostsOptions> = {}) {
  const found = await find(domain, options)
  return found.kind === 'hosts' ? found.hosts.map(({ name }) => name) : found.reply
}

describe('the hosts of a domain', () => {
  test.each([
    ['in order of preference', 'two.test', ['first.two.test', 'second.two.test']],
    ['the domain itself where it has no MX', 'implicit.test', ['implicit.test']],
    ['those that can be looked up', 'half-broken.test', ['second.two.test']],
    ['an address in brackets', '[127.0.0.1]', ['127.0.0.1']],
    ['better ones than us where we are an MX too', 'backup.test', ['second.two.test']],
    ['five at most', 'many.test', [0, 1, 2, 3, 4].map(n => `m${n}.many.test`)],
  ])('are %s', async (_, domain, names) => {
    expect(await namesOf(domain)).toEqual(names)
  })

  test.each([
    ['null.test', 'failed', '556 5.1.10'],
    ['nowhere.test', 'failed', '550 5.1.2'],
    ['text-only.test', 'failed', '550 5.1.2'],
    ['no-host.test', 'failed', '550 5.4.4'],
    ['us.test', 'failed', '550 5.4.6'],
    ['broken.test', 'deferred', '451 4.4.3'],
    ['broken-host.test', 'deferred', '451 4.4.3'],
  ])('%s: %s, %s', async (domain, kind, reply) => {
    expect(await find(domain)).toMatchObject({ kind, reply: expect.stringContaining(reply) })
  })

  test('are unknown, not missing, when the resolver does not answer', async () => {
    expect(await find('two.test', { dns: deadDns })).toMatchObject({ kind: 'deferred', reason: 'dns' })
  })

  test('of equal preference come in random order', async () => {
    const equal = { ...dns, mx: async () => ({ kind: 'found' as const, records: EQUAL }) }
    const EQUAL = ['first.two.test', 'second.two.test'].map(exchange => ({ exchange, priority: 10 }))
    const drawn = [0.9, 0.1]
    const random = () => drawn.shift() ?? 0
    expect(await namesOf('equal.test', { dns: equal, random })).toEqual(['second.two.test', 'first.two.test'])
  })

  test.each([0, 1, 2, 3, 4, 5, 6].map(n => `private${n}.test`))('%s leads into a private network', async domain => {
    expect(await namesOf(domain, { mayConnect: mayConnectTo })).toContain('550 5.4.6')
  })

  test('are only those with public addresses', async () => {
    expect(await namesOf('mixed.test', { mayConnect: mayConnectTo })).toEqual(['public.test'])
    expect(await namesOf('[10.0.0.1]', { mayConnect: mayConnectTo })).toContain('550 5.4.6')
  })
})

test.each([
  '::1',
  '::',
  'fe80::1',
  'fd00::1',
  '::ffff:127.0.0.1',
  '64:ff9b::7f00:1',
  '2002:7f00:1::',
  'not an address',
])('no mail goes to %s because the DNS says so', address => {
  expect(mayConnectTo(address)).toBe(false)
})

test('an answer is kept for a while, and asked for once by many', async () => {
  let asked = 0
  let time = 0
  const counted = { ...dns, mx: (name: string) => dns.mx(name).finally(() => asked++) }
  const kept = cachedDns(counted, { now: () => time })
  await Promise.all([kept.mx('two.test'), kept.mx('Two.test'), kept.mx('two.test')])
  await kept.mx('two.test')
  expect(asked).toBe(1)
  time = 60_001
  await kept.mx('two.test')
  expect(asked).toBe(2)
})

describe('a message', () => {
  let hop: NextHop
  let deliverer: Deliverer
  beforeEach(async () => {
    hop = await startNextHop()
    deliverer = createDeliverer(optionsFor())
  })
  afterEach(async () => {
    await deliverer.close()
    await hop.close()
  })
  const optionsFor = (): DelivererOptions => ({
    hostname: HOSTNAME,
    routes: [{ domains: ['*'], to: 'mx:' }],
    dns,
    mx: { port: hop.port, mayConnect: onLoopback },
  })

  test('goes to the second host when the first one is not there, and the log can name it', async () => {
    const outcomes = await deliverWith(deliverer, { recipients: ['bob@two.test'] })
    expect(outcomes.get('bob@two.test')).toMatchObject({
      kind: 'delivered',
      nextHop: `smtp://second.two.test:${hop.port}`,
      remoteAddress: '127.0.0.1',
    })
  })

  test('for several domains with the same hosts goes in one transaction, for others in another', async () => {
    const recipients = ['a@two.test', 'b@shared.test', 'c@other.test', 'd@two.test']
    expect(told(await deliverWith(deliverer, { recipients }))).toHaveLength(4)
    const groups = hop.messages.map(message => message.recipients.map(line => line.slice(9, -1)).toSorted())
    expect(groups.toSorted((a, b) => b.length - a.length)).toEqual([
      ['a@two.test', 'b@shared.test', 'd@two.test'],
      ['c@other.test'],
    ])
  })

  test('fails for whom the DNS refuses it, waits for whom nobody knows, and arrives for the others', async () => {
    const recipients = ['a@null.test', 'b@broken.test', 'c@implicit.test', 'd@nowhere.test']
    const outcomes = await deliverWith(deliverer, { recipients })
    expect(recipients.map(recipient => outcomes.get(recipient)?.kind)).toEqual([
      'failed',
      'deferred',
      'delivered',
      'failed',
    ])
  })

  test('waits where no resolver was given', async () => {
    const without = createDeliverer({ hostname: HOSTNAME, routes: [{ domains: ['*'], to: 'mx:' }] })
    expect(told(await deliverWith(without))).toEqual(['deferred: a route by mx: needs a resolver'])
  })
})
