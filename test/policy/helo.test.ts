// HELO names, on a real resolver.
import { networkInterfaces } from 'node:os'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Dns } from '../../src/platform/dns.ts'
import { createHelo } from '../../src/policy/helo.ts'
import { contextFor, deadDns, from, records, said, settings, startDns } from './ask.ts'

let dns: Dns
let stop: () => Promise<void>

beforeAll(async () => {
  const zones = records(
    'mx.ours.test. 60 IN A 198.51.100.25',
    'mx.ours.test. 60 IN AAAA 2001:db8::25',
    'mail.sender.test. 60 IN A 203.0.113.9',
    'six.sender.test. 60 IN AAAA 2001:db8::9',
    'only-mx.test. 60 IN MX 10 mail.sender.test.',
  )
  ;({ dns, stop } = await startDns(`  local-zone: "broken.test." refuse\n${zones}`))
})
afterAll(() => stop())

function helo(name: string, config: object = {}, view = {}, resolver = dns): Promise<string> {
  const plugin = createHelo(settings('helo', config), contextFor('helo', { dns: resolver }))
  return said(plugin.sender!(from({ helo: name, ...view })))
}

describe('our own name', () => {
  test.each(['mx.ours.test', 'MX.Ours.Test', 'mx.ours.test.'])('%s is refused', async name => {
    expect(await helo(name)).toBe(`550 5.7.1 HELO <${name}> refused: this is our name`)
  })

  test.each(['[198.51.100.25]', '[IPv6:2001:db8::25]', '[127.0.0.1]'])('our address %s is refused', async literal => {
    expect(await helo(literal)).toBe(`550 5.7.1 HELO <${literal}> refused: this is our address`)
  })

  test('is right for programs on this machine', async () => {
    const own = Object.values(networkInterfaces()).flatMap(addresses => addresses!)[0]!.address
    expect(await helo('mx.ours.test', {}, { address: own })).toBe('pass')
  })

  test('passes when it is not checked', async () => {
    expect(await helo('mx.ours.test', { own_name: false })).toBe('pass')
  })

  test('a name like ours is not ours', async () => {
    expect(await helo('ours.test')).toBe('pass')
    expect(await helo('mx.ours.test.example')).toBe('pass')
  })
})

describe('a full name', () => {
  test.each(['localhost', 'friend', '203.0.113.9', '[203.0.113]', 'a b.test', '-', 'x..y'])(
    '%s is none',
    async name => {
      expect(await helo(name)).toBe(`550 5.7.1 HELO <${name.replace(' ', '?')}> refused: not a full host name`)
    },
  )

  test.each(['mail.sender.test', 'under_score.test', '[203.0.113.9]', '[IPv6:2001:db8::9]'])(
    '%s is one',
    async name => {
      expect(await helo(name)).toBe('pass')
    },
  )

  test('is not asked for when it is not checked', async () => {
    expect(await helo('friend', { full_name: false })).toBe('pass')
  })
})

describe('a name in the DNS', () => {
  test.each(['mail.sender.test', 'six.sender.test', 'only-mx.test', '[203.0.113.9]'])('%s', async name => {
    expect(await helo(name, { resolves: true })).toBe('pass')
  })

  test('is asked for only where the setting says so', async () => {
    expect(await helo('nobody.test')).toBe('pass')
    expect(await helo('nobody.test', { resolves: true })).toBe('550 5.7.1 HELO <nobody.test> refused: host not found')
  })

  test('a DNS that does not answer refuses nobody', async () => {
    expect(await helo('host.broken.test', { resolves: true })).toBe('pass')
    expect(await helo('nobody.test', { resolves: true }, {}, deadDns)).toBe('pass')
    expect(await helo('[198.51.100.25]', { resolves: true }, {}, deadDns)).toBe('pass')
  })
})

test('who is trusted or on the allowlist may say what it wants', async () => {
  expect(await helo('friend', {}, { trusted: true })).toBe('pass')
  expect(await helo('friend', { allowlist: ['203.0.113.0/24'] })).toBe('pass')
})
