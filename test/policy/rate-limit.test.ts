// Rates, by the clock of the test.
import { describe, expect, test } from 'vitest'
import { createMetrics } from '../../src/platform/metrics.ts'
import { levelOf, take } from '../../src/platform/token-bucket.ts'
import { createTokenBuckets } from '../../src/platform/token-buckets.ts'
import { createRateLimit } from '../../src/policy/rate-limit.ts'
import { contextFor, from, said, settings, whyOf } from './ask.ts'

const MINUTE = 60_000
const message = (size: number) => ({ size, head: Buffer.alloc(0), async *chunks() {} })

function policy(config: object) {
  let now = 1_000_000
  const catalogue = createMetrics()
  const plugin = createRateLimit(
    settings('rate-limit', config),
    contextFor('rate-limit', { now: () => now, catalogue }),
  )
  return {
    plugin,
    wait(milliseconds: number) {
      now += milliseconds
    },
    limited: async (rate: string) =>
      new RegExp(`elemta_rate_limited_total\\{rate="${rate}"\\} (\\d+)`).exec(await catalogue.registry.metrics())![1],
  }
}

test('connections beyond the rate are told when to come back', async () => {
  const { plugin, wait, limited } = policy({ connections: '2/m' })
  const connect = (address: string) => said(plugin.connect!(from({ address })))
  expect(await connect('203.0.113.1')).toBe('pass')
  expect(await connect('203.0.113.1')).toBe('pass')
  const reply = '421 4.7.0 Too many connections: at most 2 connections in 1m, come back in 30 s'
  expect(await connect('203.0.113.1')).toBe(reply)
  expect(await connect('203.0.113.2')).toBe('pass')
  expect(await limited('connections')).toBe('1')
  wait(29_000)
  expect(await connect('203.0.113.1')).toContain('come back in 1 s')
  wait(1000)
  expect(await connect('203.0.113.1')).toBe('pass')
  expect(await connect('203.0.113.1')).toContain('421')
})

test('an IPv6 client is its /64', async () => {
  const { plugin } = policy({ connections: '1/m' })
  expect(await said(plugin.connect!(from({ address: '2001:db8:1:2::1' })))).toBe('pass')
  expect(await said(plugin.connect!(from({ address: '2001:db8:1:2:ffff::7' })))).toContain('421')
  expect(await said(plugin.connect!(from({ address: '2001:db8:1:3::1' })))).toBe('pass')
})

test('messages and recipients have rates of their own', async () => {
  const { plugin, limited } = policy({ messages: '1/m', recipients: '2/h' })
  expect(await said(plugin.sender!(from()))).toBe('pass')
  const tooMany = '451 4.7.1 Too many messages: at most 1 messages in 1m, come back in 60 s'
  expect(await said(plugin.sender!(from()))).toBe(tooMany)
  expect(await whyOf(plugin.sender!(from()))).toBe('rate messages of 203.0.113.9: 1 messages in 1m')
  const recipient = (to: string) => said(plugin.recipient!(from(), to))
  expect(await recipient('a@ours.test')).toBe('pass')
  expect(await recipient('b@ours.test')).toBe('pass')
  expect(await recipient('c@ours.test')).toContain('451 4.7.1 Too many recipients: at most 2 recipients in 1h')
  expect([await limited('messages'), await limited('recipients')]).toEqual(['2', '1'])
})

describe('octets', () => {
  test('are counted by message', async () => {
    const { plugin, wait } = policy({ octets: '10MB/h' })
    const send = (megabytes: number) => said(plugin.message!(from(), message(megabytes * 1024 * 1024)))
    expect(await send(6)).toBe('pass')
    expect(await send(6)).toBe('451 4.7.1 Too many octets: at most 10MB in 1h, come back in 720 s')
    expect(await send(4)).toBe('pass')
    wait(60 * MINUTE)
    expect(await send(6)).toBe('pass')
  })

  test('of a message larger than the rate are paid back', async () => {
    const { plugin, wait } = policy({ octets: '10MB/h' })
    const send = (megabytes: number) => said(plugin.message!(from(), message(megabytes * 1024 * 1024)))
    expect(await send(25)).toBe('pass')
    wait(60 * MINUTE)
    expect(await send(1)).toContain('451')
    wait(60 * MINUTE)
    expect(await send(1)).toBe('pass')
  })
})

test('who has logged in is counted by name, from wherever', async () => {
  const { plugin, limited } = policy({ messages: '1/m', user_messages: '2/m', user_recipients: '1/m', octets: '1MB/h' })
  const sender = (address: string, user?: string) =>
    said(plugin.sender!(from({ address, ...(user !== undefined && { user }) })))
  expect(await sender('203.0.113.1')).toBe('pass')
  expect(await sender('203.0.113.1', 'ann')).toBe('pass')
  expect(await sender('203.0.113.2', 'ann')).toBe('pass')
  expect(await sender('203.0.113.3', 'ann')).toContain('451 4.7.1 Too many messages: at most 2 messages in 1m')
  expect(await sender('203.0.113.1', 'bob')).toBe('pass')
  expect(await limited('user_messages')).toBe('1')
  expect(await said(plugin.recipient!(from({ user: 'ann' }), 'a@ours.test'))).toBe('pass')
  expect(await said(plugin.recipient!(from({ user: 'ann' }), 'b@ours.test'))).toContain('451')
  expect(await said(plugin.message!(from({ user: 'ann' }), message(1024 * 1024)))).toBe('pass')
  expect(await said(plugin.message!(from({ user: 'ann', address: '203.0.113.7' }), message(1024)))).toContain('451')
  expect(await said(plugin.message!(from({ user: 'bob' }), message(1024)))).toBe('pass')
})

test('the allowlist is not counted', async () => {
  const { plugin } = policy({ connections: '1/m', allowlist: ['203.0.113.0/24'] })
  for (let n = 0; n < 5; n++) expect(await said(plugin.connect!(from()))).toBe('pass')
})

test('a rate that lets nothing through is told at the start', () => {
  expect(() => policy({ messages: '0/m' })).toThrow('rate-limit: messages would let nothing through')
})

describe('a bucket', () => {
  const rate = { amount: 10, period: 1000 }

  test('fills up evenly and never beyond the rate', () => {
    const { bucket } = take(undefined, rate, 10, 0)
    expect([0, 500, 1000, 9000].map(now => levelOf(bucket, rate, now))).toEqual([0, 5, 10, 10])
  })

  test('a refusal costs nothing, and its wait is right', () => {
    const { bucket } = take(undefined, rate, 8, 0)
    expect(take(bucket, rate, 4, 0)).toEqual({ bucket: { level: 2, at: 0 }, wait: 200 })
    expect(take(bucket, rate, 4, 199).wait).toBe(1)
    expect(take(bucket, rate, 4, 200)).toEqual({ bucket: { level: 0, at: 200 }, wait: 0 })
  })

  test('a clock that goes back takes nothing away', () => {
    const { bucket } = take(undefined, rate, 5, 1000)
    expect(levelOf(bucket, rate, 0)).toBe(5)
  })
})

test('memory is bounded: who was quiet for longest is forgotten', () => {
  const limit = createTokenBuckets({ amount: 1, period: MINUTE }, 3)
  for (const key of ['a', 'b', 'c', 'd']) expect(limit(key, 1, 0)).toBe(0)
  expect(limit('d', 1, 0)).toBe(MINUTE)
  expect(limit('a', 1, 0)).toBe(0)
})
