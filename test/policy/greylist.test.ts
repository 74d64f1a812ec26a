import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { PolicyStore } from '../../src/storage/policy-store.ts'
import { DAY, greylistHome, HOUR, type Home, MINUTE, SECOND } from './greylist-home.ts'

let home: Home
beforeEach(async () => {
  home = await greylistHome()
})
afterEach(() => home.dispose())

const DEFERRED = '451 4.7.1 Greylisted, try again in 300 seconds'

describe('a stranger', () => {
  it('is told how long to wait, each time until the delay is over, and then passes', async () => {
    const { say, metrics } = await home.start()
    expect(await say()).toBe(DEFERRED)
    home.pass(100 * SECOND)
    expect(await say()).toBe('451 4.7.1 Greylisted, try again in 200 seconds')
    home.pass(199.5 * SECOND)
    expect(await say()).toBe('451 4.7.1 Greylisted, try again in 1 seconds')
    home.pass(0.5 * SECOND)
    expect(await say()).toBe('pass')
    expect(await say()).toBe('pass')
    expect(await metrics()).toMatchObject({
      total: 5,
      'deferred_total{reason="new"}': 1,
      'deferred_total{reason="early"}': 2,
      'passed_total{reason="waited"}': 1,
      'passed_total{reason="known"}': 1,
      delay_seconds_count: 1,
      delay_seconds_sum: 300,
    })
  })

  it('begins anew when it comes back after the retry window', async () => {
    const { say } = await home.start({ retry_window: '2h' })
    expect(await say()).toBe(DEFERRED)
    home.pass(2 * HOUR)
    expect(await say()).toBe(DEFERRED)
    home.pass(2 * HOUR - 1)
    expect(await say()).toBe('pass')
  })

  it('is a stranger again when its lifetime is over, counted from its last use', async () => {
    const { say } = await home.start({ auto_allow: 0 })
    await say()
    home.pass(5 * MINUTE)
    expect(await say()).toBe('pass')
    for (let n = 0; n < 3; n++) {
      home.pass(36 * DAY - 1)
      expect(await say()).toBe('pass')
    }
    home.pass(36 * DAY)
    expect(await say()).toBe(DEFERRED)
  })

  it('is another one with another sender, recipient or network', async () => {
    const { say } = await home.start({ auto_allow: 0 })
    await say()
    home.pass(5 * MINUTE)
    expect(await say({ sender: 'a@EXAMPLE.org', to: 'user@Example.com', from: '192.0.2.250' })).toBe('pass')
    expect(await say({ sender: 'b@example.org' })).toBe(DEFERRED)
    expect(await say({ sender: 'A@example.org' })).toBe(DEFERRED)
    expect(await say({ to: 'other@example.com' })).toBe(DEFERRED)
    expect(await say({ from: '192.0.3.7' })).toBe(DEFERRED)
  })

  it('may be the null sender, and write to postmaster', async () => {
    const { say } = await home.start()
    const bounce = { sender: '', to: 'postmaster' }
    expect(await say(bounce)).toBe(DEFERRED)
    home.pass(5 * MINUTE)
    expect(await say(bounce)).toBe('pass')
  })

  it('is the same within an IPv6 /64', async () => {
    const { say } = await home.start()
    expect(await say({ from: '2001:db8:0:1::25' })).toBe(DEFERRED)
    home.pass(5 * MINUTE)
    expect(await say({ from: '2001:db8::1:ffff:ffff:ffff:ffff' })).toBe('pass')
    expect(await say({ from: '2001:db8:0:2::25' })).toBe(DEFERRED)
  })

  it('is a network as large as the settings say', async () => {
    const { say } = await home.start({ ipv4_prefix: 32, ipv6_prefix: 48 })
    await say({ from: '192.0.2.7' })
    await say({ from: '2001:db8:7:1::1' })
    home.pass(5 * MINUTE)
    expect(await say({ from: '192.0.2.8' })).toBe(DEFERRED)
    expect(await say({ from: '2001:db8:7:2::1' })).toBe('pass')
  })
})

describe('a client that has passed often enough', () => {
  const message = (n: number) => ({ sender: `${n}@example.org`, queueId: `message ${n}` })
  async function passMessages(say: (mail: object) => Promise<string>, count: number) {
    for (let n = 0; n < count; n++) await say(message(n))
    home.pass(5 * MINUTE)
    for (let n = 0; n < count; n++) expect(await say(message(n))).toBe('pass')
  }

  it('is deferred no more, whatever it sends, until it was not seen for a lifetime', async () => {
    const { say, metrics } = await home.start({ auto_allow: 3 })
    await passMessages(say, 3)
    expect(await say({ sender: 'new@example.org', from: '192.0.2.99' })).toBe('pass')
    expect(await say({ sender: 'new@example.org', from: '198.51.100.1' })).toBe(DEFERRED)
    home.pass(36 * DAY - 1)
    expect(await say({ sender: 'newer@example.org' })).toBe('pass')
    home.pass(36 * DAY)
    expect(await say({ sender: 'newest@example.org' })).toBe(DEFERRED)
    expect(await metrics()).toMatchObject({ 'passed_total{reason="auto-allowed"}': 2 })
  })

  it('has not passed often enough before', async () => {
    const { say } = await home.start({ auto_allow: 3 })
    await passMessages(say, 2)
    expect(await say({ sender: 'new@example.org' })).toBe(DEFERRED)
  })

  it('is not one that sent one message to many', async () => {
    const { say } = await home.start({ auto_allow: 3 })
    const recipients = ['a', 'b', 'c', 'd'].map(name => ({ to: `${name}@example.com`, queueId: 'one message' }))
    for (const mail of recipients) await say(mail)
    home.pass(5 * MINUTE)
    for (const mail of recipients) expect(await say(mail)).toBe('pass')
    expect(await say({ sender: 'new@example.org' })).toBe(DEFERRED)
  })

  it('does not exist with auto_allow: 0', async () => {
    const { say } = await home.start({ auto_allow: 0 })
    await passMessages(say, 10)
    expect(await say({ sender: 'new@example.org' })).toBe(DEFERRED)
  })
})

describe('who is not asked', () => {
  it('is who is trusted', async () => {
    const { say, metrics } = await home.start()
    expect(await say({ trusted: true })).toBe('pass')
    expect(await metrics()).toEqual({ total: 1, 'passed_total{reason="trusted"}': 1 })
  })

  it('is who stands in an allowlist', async () => {
    const { say, metrics } = await home.start({
      allowlist: {
        clients: ['198.51.100.0/24', '2001:db8:5::/48'],
        senders: ['friend@example.org', 'example.net', '*.example.net'],
        recipients: ['Postmaster@example.com', 'postmaster', 'open.example.com'],
      },
    })
    for (const mail of [
      { from: '198.51.100.255' },
      { from: '2001:db8:5:1::1' },
      { sender: 'Friend@example.org' },
      { sender: 'x@example.net' },
      { sender: 'x@a.b.example.net' },
      { to: 'postmaster@example.com' },
      { to: 'postmaster' },
      { to: 'anyone@open.example.com' },
    ]) {
      expect([mail, await say(mail)]).toEqual([mail, 'pass'])
    }
    for (const mail of [
      { from: '198.51.101.1' },
      { sender: 'foe@example.org' },
      { sender: 'x@badexample.net' },
      { sender: '' },
      { to: 'x@a.open.example.com' },
    ]) {
      expect([mail, await say(mail)]).toEqual([mail, DEFERRED])
    }
    expect(await metrics()).toMatchObject({ 'passed_total{reason="allowlist"}': 8 })
  })

  it('is whom nothing speaks against, with only_suspicious', async () => {
    const zone = { ptr: { '192.0.2.7': ['mail.example.org'], '192.0.2.8': 'error' } } as const
    const { say, metrics, asked } = await home.start({ only_suspicious: true }, { zone })
    expect(await say({ from: '192.0.2.7' })).toBe('pass')
    expect(await say({ from: '192.0.2.8' })).toBe('pass')
    expect(await say({ from: '192.0.2.7', suspicions: ['listed in a zone'] })).toBe(DEFERRED)
    expect(await say({ from: '203.0.113.9', queueId: 'one' })).toBe(DEFERRED)
    expect(await say({ from: '203.0.113.9', queueId: 'one', to: 'other@example.com' })).toBe(DEFERRED)
    expect(await metrics()).toMatchObject({ total: 5, 'passed_total{reason="unsuspicious"}': 2 })
    expect(asked).toEqual(['ptr 192.0.2.7', 'ptr 192.0.2.8', 'ptr 203.0.113.9'])
  })
})

describe('several ingresses', () => {
  it('agree', async () => {
    const [one, other] = [await home.start(), await home.start()]
    expect(await one.say()).toBe(DEFERRED)
    home.pass(MINUTE)
    expect(await other.say()).toBe('451 4.7.1 Greylisted, try again in 240 seconds')
    home.pass(4 * MINUTE)
    expect(await other.say()).toBe('pass')
    expect(await one.metrics()).not.toHaveProperty('passed_total{reason="waited"}')
    expect(await one.say()).toBe('pass')
    expect(await one.metrics()).toHaveProperty('passed_total{reason="known"}', 1)
  })

  it('count a client’s messages together', async () => {
    const ingresses = [await home.start({ auto_allow: 2 }), await home.start({ auto_allow: 2 })]
    for (const [n, { say }] of ingresses.entries()) await say({ sender: `${n}@example.org` })
    home.pass(5 * MINUTE)
    for (const [n, { say }] of ingresses.entries()) expect(await say({ sender: `${n}@example.org` })).toBe('pass')
    for (const { say } of ingresses) expect(await say({ sender: 'new@example.org' })).toBe('pass')
  })
})

describe('a store', () => {
  it('that fails lets mail pass, counted', async () => {
    const store = await home.openStore()
    const { say, metrics } = await home.start({}, { store })
    await store.close()
    expect(await say()).toBe('pass')
    expect(await metrics()).toEqual({ total: 1, 'passed_total{reason="store-failed"}': 1 })
  })

  it('that does not answer lets mail pass, counted', async () => {
    const store = await home.openStore()
    const silent: PolicyStore = { ...store, get: () => new Promise(() => {}) }
    const { say, metrics } = await home.start({}, { store: silent })
    expect(await say()).toBe('pass')
    expect(await metrics()).toEqual({ total: 1, 'passed_total{reason="store-failed"}': 1 })
  })

  it('that takes nothing lets mail pass once that is known', async () => {
    const store = await home.openStore()
    const full: PolicyStore = { ...store, update: () => Promise.reject(new Error('disk full')) }
    const { say } = await home.start({}, { store: full })
    expect(await say()).toBe(DEFERRED)
    expect(await say()).toBe('pass')
  })

  it('is rid of what is over, and the rest is counted', async () => {
    const before = await home.start()
    for (let n = 0; n < 450; n++) await before.say({ sender: `${n}@example.org` })
    home.pass(40 * HOUR)
    for (let n = 0; n < 3; n++) await before.say({ sender: `young ${n}@example.org` })
    home.pass(8 * HOUR)
    const { metrics } = await home.start()
    await vi.waitFor(async () =>
      expect(await metrics()).toEqual({ 'cleanup_total{reason="never-returned"}': 450, active: 3 }),
    )
  })
})

it('refuses settings with which nobody could ever pass', async () => {
  await expect(home.start({ delay: '2h', retry_window: '1h' })).rejects.toThrow('retry_window')
})
