import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ConnectionPool } from '../../src/deliver/connection-pool.ts'
import type { NextHop as Destination } from '../../src/deliver/next-hop.ts'
import { handOver, openPool } from './hand-over.ts'
import { type NextHop, type Script, startNextHop } from './next-hop.ts'

const DELIVERED = ['delivered: 250 2.0.0 Ok: queued as 42']
let hop: NextHop
let pool: ConnectionPool
let way: Partial<Destination>

beforeEach(async () => {
  hop = await startNextHop()
  pool = openPool()
  way = {}
})
afterEach(async () => {
  await pool.close()
  await hop.close()
})

/** What became of the one recipient. */
async function deliver(more: Partial<Destination> = {}, asked: Parameters<typeof handOver>[2] = {}): Promise<string[]> {
  const nextHop = { protocol: 'smtp', host: '127.0.0.1', port: hop.port, ...way, ...more } as const
  const { told, error } = await handOver(pool, nextHop, asked)
  return told.length === 0 && error !== undefined ? [`deferred: ${error.message}`] : [...told]
}
const verbs = (connection: number) => hop.connections[connection]?.map(line => line.split(/[ :]/, 1)[0])

describe('a connection is used again', () => {
  test('for the next message', async () => {
    for (let n = 0; n < 3; n++) expect(await deliver()).toEqual(DELIVERED)
    expect(verbs(0)).toEqual(['EHLO', 'MAIL', 'RCPT', 'DATA', 'MAIL', 'RCPT', 'DATA', 'MAIL', 'RCPT', 'DATA'])
    expect(hop.connections).toHaveLength(1)
  })

  test('with RSET before the next message where a transaction was left', async () => {
    for (const refusal of [{ rcpt: '550 5.1.1 Who?' }, { data: '451 4.3.0 Later' }, { mail: '451 4.3.0 Later' }]) {
      hop.follow(refusal)
      expect(await deliver()).not.toEqual(DELIVERED)
      hop.follow({})
      expect(await deliver()).toEqual(DELIVERED)
    }
    expect(hop.connections).toHaveLength(1)
    expect(verbs(0)?.filter(verb => verb === 'RSET')).toHaveLength(3)
  })

  test('without RSET after a message that was refused at the dot', async () => {
    hop.follow({ dot: '554 5.7.1 Spam' })
    await deliver()
    hop.follow({})
    expect(await deliver()).toEqual(DELIVERED)
    expect(verbs(0)).not.toContain('RSET')
  })

  test('but not for more messages than the limit', async () => {
    way = { messagesPerConnection: 2 }
    for (let n = 0; n < 3; n++) await deliver()
    expect(hop.connections).toHaveLength(2)
    await expect.poll(() => verbs(0)?.at(-1)).toBe('QUIT')
  })

  test('but not when nobody needed it for a while: it is closed with QUIT', async () => {
    pool = openPool({ idleTime: 10 })
    await deliver()
    await expect.poll(() => hop.open.size).toBe(0)
    expect(verbs(0)?.at(-1)).toBe('QUIT')
    expect(await deliver()).toEqual(DELIVERED)
  })

  test('but not when the next hop said more than it was asked: replies would be taken for others', async () => {
    hop.follow({ dot: { raw: '250 2.0.0 Ok\r\n250 2.0.0 Stray\r\n' } })
    await deliver()
    hop.follow({ mail: '550 5.7.1 No', rcpt: '550 5.1.1 No', dot: '550 5.7.1 No' })
    expect(await deliver()).toEqual(['failed: 550 5.7.1 No'])
    expect(hop.connections).toHaveLength(2)
  })

  test('but not after 421', async () => {
    hop.follow({ rcpt: '421 4.3.2 Shutting down' })
    await deliver()
    hop.follow({})
    expect(await deliver()).toEqual(DELIVERED)
    expect(hop.connections).toHaveLength(2)
  })
})

describe('a kept connection that the next hop gave up', () => {
  const cut = { cut: '' }
  test.each<[string, Script]>([
    ['closes when it hears MAIL', { mail: (_, connection) => (connection === 1 ? cut : '250 Ok') }],
    [
      'says 421 instead of an answer to MAIL',
      { mail: (_, connection) => (connection === 1 ? { cut: '421 4.4.2 Idle too long\r\n' } : '250 Ok') },
    ],
  ])('and that %s is replaced by a fresh one', async (_, script) => {
    await deliver()
    hop.follow(script)
    expect(await deliver()).toEqual(DELIVERED)
    expect(hop.messages).toHaveLength(2)
    expect(hop.connections).toHaveLength(2)
  })

  test('and closed meanwhile is not even tried', async () => {
    await deliver()
    for (const socket of hop.open) socket.end('421 4.4.2 Idle too long\r\n')
    await expect.poll(() => hop.open.size).toBe(0)
    expect(await deliver()).toEqual(DELIVERED)
    expect(verbs(0)?.filter(verb => verb === 'MAIL')).toHaveLength(1)
  })

  test('is replaced only once', async () => {
    await deliver()
    hop.follow({ mail: cut })
    expect(await deliver()).toEqual(['deferred: connection closed by the next hop'])
    expect(hop.connections).toHaveLength(2)
  })

  test('after it had answered is not: who knows what it did', async () => {
    await deliver()
    hop.follow({ rcpt: cut })
    expect(await deliver()).toEqual(['deferred: connection closed by the next hop'])
    expect(hop.connections).toHaveLength(1)
  })

  test('and whose successor is refused leaves the message waiting', async () => {
    await deliver()
    hop.follow({ mail: cut, greeting: '554 5.3.2 Closed for today' })
    expect(await deliver()).toEqual(['deferred: 554 5.3.2 Closed for today'])
  })
})

describe('many messages at once', () => {
  test('share the connections that are allowed', async () => {
    way = { connections: 3 }
    const outcomes = await Promise.all(Array.from({ length: 30 }, () => deliver()))
    expect(outcomes.flat()).toEqual(Array(30).fill(DELIVERED[0]))
    expect(hop.connections).toHaveLength(3)
  })

  test('wait their turn also behind connections that break', async () => {
    hop.follow({ rcpt: (_, connection) => (connection % 2 === 1 ? { cut: '' } : '250 Ok') })
    way = { connections: 1 }
    const outcomes = await Promise.all(Array.from({ length: 6 }, () => deliver()))
    expect(new Set(outcomes.flat())).toEqual(new Set([...DELIVERED, 'deferred: connection closed by the next hop']))
  })

  test('wait no longer than an attempt lasts', async () => {
    hop.follow({ dot: 'silence' })
    way = { connections: 1 }
    const first = deliver()
    await expect.poll(() => hop.messages.length).toBe(1)
    expect(await deliver({}, { attempt: 200 })).toEqual(['deferred: all 1 connections are busy'])
    for (const socket of hop.open) socket.write('250 2.0.0 Ok\r\n')
    expect(await first).toEqual(['delivered: 250 2.0.0 Ok'])
  })

  test('stop waiting when they are called off, and nobody else loses a turn', async () => {
    hop.follow({ dot: 'silence' })
    way = { connections: 1 }
    const stop = new AbortController()
    const first = deliver()
    await expect.poll(() => hop.messages.length).toBe(1)
    const second = deliver({}, { signal: stop.signal })
    const third = deliver()
    stop.abort(new Error('off'))
    await expect(second).rejects.toThrow('off')
    hop.follow({})
    for (const socket of hop.open) socket.write('250 2.0.0 Ok: queued as 42\r\n')
    expect([...(await first), ...(await third)]).toEqual([...DELIVERED, ...DELIVERED])
  })
})

test('close says QUIT and returns although the next hop does not answer it', async () => {
  hop.follow({ quit: 'silence' })
  pool = openPool({ timeouts: { quit: 50 } })
  await deliver()
  await pool.close()
  expect(verbs(0)?.at(-1)).toBe('QUIT')
  await expect.poll(() => hop.open.size).toBe(0)
})

test.each<[string, Partial<Destination>]>([
  ['TLS policy', { tls: 'none' }],
  ['name in EHLO', { helo: 'other.example.com' }],
  ['source address', { source: '127.0.0.2' }],
  ['user', { auth: { user: 'u', password: 'secret' } }],
])('a session is not shared by next hops that differ in their %s', async (_, other) => {
  await deliver()
  await deliver(other)
  await deliver()
  expect(hop.connections).toHaveLength(2)
  expect(verbs(0)?.filter(verb => verb === 'MAIL')).toHaveLength(2)
})

test('a next hop is met from the address and with the name that it wants', async () => {
  expect(await deliver({ source: '127.0.0.2', helo: 'out.example.com', tls: 'none' })).toEqual(DELIVERED)
  expect(hop.clients).toEqual(['127.0.0.2'])
  expect(hop.connections[0]?.[0]).toBe('EHLO out.example.com')
})

test('an address that is not ours is a deferral', async () => {
  expect(await deliver({ source: '192.0.2.1' })).toEqual(['deferred: the source address is not ours'])
})

describe('a rate', () => {
  test('is kept without a wait as long as it lasts', async () => {
    way = { rate: { amount: 5, period: 3_600_000 } }
    for (let n = 0; n < 5; n++) expect(await deliver()).toEqual(DELIVERED)
    expect(hop.messages).toHaveLength(5)
  })

  test('that leaves no turn in an attempt defers at once, and the next hop is not troubled', async () => {
    way = { rate: { amount: 1, period: 3_600_000 } }
    expect(await deliver()).toEqual(DELIVERED)
    expect(await deliver()).toEqual(['deferred: its rate leaves no turn for this attempt'])
    expect(await deliver({ port: 1 })).toEqual(['deferred: connection refused'])
    expect(hop.connections).toHaveLength(1)
  })

  test('has a wait that ends, and each has its turn', async () => {
    way = { rate: { amount: 2, period: 40 } }
    const outcomes = await Promise.all(Array.from({ length: 6 }, () => deliver()))
    expect(outcomes.flat()).toEqual(Array(6).fill(DELIVERED[0]))
  })

  test('has a wait that is over when the delivery is called off, and its turn is free again', async () => {
    way = { rate: { amount: 1, period: 10_000 } }
    await deliver()
    const stop = new AbortController()
    const waiting = deliver({}, { signal: stop.signal })
    stop.abort(new Error('off'))
    await expect(waiting).rejects.toThrow('off')
    const next = new AbortController()
    // Its turn comes within 15 s only if the one before gave its own back.
    const another = deliver({}, { signal: next.signal, attempt: 15_000 })
    next.abort(new Error('off too'))
    await expect(another).rejects.toThrow('off too')
  })
})
