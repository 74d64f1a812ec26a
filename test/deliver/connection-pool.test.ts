import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createDeliverer, type Deliverer, type DelivererOptions } from '../../src/deliver/deliverer.ts'
import { deliverWith, HOSTNAME, told } from './messages.ts'
import { type NextHop, type Script, startNextHop } from './next-hop.ts'

const DELIVERED = ['delivered: 250 2.0.0 Ok: queued as 42']
let hop: NextHop
let deliverer: Deliverer

beforeEach(async () => {
  hop = await startNextHop()
})
afterEach(async () => {
  await deliverer.close()
  await hop.close()
})

function delivererWith(options: Partial<DelivererOptions> = {}) {
  deliverer = createDeliverer({ hostname: HOSTNAME, routes: [{ domains: ['*'], to: hop.url }], ...options })
}
const verbs = (connection: number) => hop.connections[connection]?.map(line => line.split(/[ :]/, 1)[0])

describe('a connection is used again', () => {
  test('for the next message', async () => {
    delivererWith()
    for (let n = 0; n < 3; n++) expect(told(await deliverWith(deliverer))).toEqual(DELIVERED)
    expect(verbs(0)).toEqual(['EHLO', 'MAIL', 'RCPT', 'DATA', 'MAIL', 'RCPT', 'DATA', 'MAIL', 'RCPT', 'DATA'])
    expect(hop.connections).toHaveLength(1)
  })

  test('with RSET before the next message where a transaction was left', async () => {
    delivererWith()
    for (const refusal of [{ rcpt: '550 5.1.1 Who?' }, { data: '451 4.3.0 Later' }, { mail: '451 4.3.0 Later' }]) {
      hop.follow(refusal)
      expect(told(await deliverWith(deliverer))).not.toEqual(DELIVERED)
      hop.follow({})
      expect(told(await deliverWith(deliverer))).toEqual(DELIVERED)
    }
    expect(hop.connections).toHaveLength(1)
    expect(verbs(0)?.filter(verb => verb === 'RSET')).toHaveLength(3)
  })

  test('without RSET after a message that was refused at the dot', async () => {
    delivererWith()
    hop.follow({ dot: '554 5.7.1 Spam' })
    await deliverWith(deliverer)
    hop.follow({})
    expect(told(await deliverWith(deliverer))).toEqual(DELIVERED)
    expect(verbs(0)).not.toContain('RSET')
  })

  test('but not for more messages than the limit', async () => {
    delivererWith({ limits: { maxMessagesPerConnection: 2 } })
    for (let n = 0; n < 3; n++) await deliverWith(deliverer)
    expect(hop.connections).toHaveLength(2)
    await expect.poll(() => verbs(0)?.at(-1)).toBe('QUIT')
  })

  test('but not when nobody needed it for a while: it is closed with QUIT', async () => {
    delivererWith({ limits: { idleTime: 10 } })
    await deliverWith(deliverer)
    await expect.poll(() => hop.open.size).toBe(0)
    expect(verbs(0)?.at(-1)).toBe('QUIT')
    expect(told(await deliverWith(deliverer))).toEqual(DELIVERED)
  })

  test('but not when the next hop said more than it was asked: replies would be taken for others', async () => {
    delivererWith()
    hop.follow({ dot: { raw: '250 2.0.0 Ok\r\n250 2.0.0 Stray\r\n' } })
    await deliverWith(deliverer)
    hop.follow({ mail: '550 5.7.1 No', rcpt: '550 5.1.1 No', dot: '550 5.7.1 No' })
    expect(told(await deliverWith(deliverer))).toEqual(['failed: 550 5.7.1 No'])
    expect(hop.connections).toHaveLength(2)
  })

  test('but not after 421', async () => {
    delivererWith()
    hop.follow({ rcpt: '421 4.3.2 Shutting down' })
    await deliverWith(deliverer)
    hop.follow({})
    expect(told(await deliverWith(deliverer))).toEqual(DELIVERED)
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
    delivererWith()
    await deliverWith(deliverer)
    hop.follow(script)
    expect(told(await deliverWith(deliverer))).toEqual(DELIVERED)
    expect(hop.messages).toHaveLength(2)
    expect(hop.connections).toHaveLength(2)
  })

  test('and closed meanwhile is not even tried', async () => {
    delivererWith()
    await deliverWith(deliverer)
    for (const socket of hop.open) socket.end('421 4.4.2 Idle too long\r\n')
    await expect.poll(() => hop.open.size).toBe(0)
    expect(told(await deliverWith(deliverer))).toEqual(DELIVERED)
    expect(verbs(0)?.filter(verb => verb === 'MAIL')).toHaveLength(1)
  })

  test('is replaced only once', async () => {
    delivererWith()
    await deliverWith(deliverer)
    hop.follow({ mail: cut })
    expect(told(await deliverWith(deliverer))).toEqual(['deferred: connection closed by the next hop'])
    expect(hop.connections).toHaveLength(2)
  })

  test('after it had answered is not: who knows what it did', async () => {
    delivererWith()
    await deliverWith(deliverer)
    hop.follow({ rcpt: cut })
    expect(told(await deliverWith(deliverer))).toEqual(['deferred: connection closed by the next hop'])
    expect(hop.connections).toHaveLength(1)
  })

  test('and whose successor is refused leaves the message waiting', async () => {
    delivererWith()
    await deliverWith(deliverer)
    hop.follow({ mail: cut, greeting: '554 5.3.2 Closed for today' })
    expect(told(await deliverWith(deliverer))).toEqual(['deferred: 554 5.3.2 Closed for today'])
  })
})

describe('many messages at once', () => {
  test('share the connections that are allowed', async () => {
    delivererWith({ limits: { maxConnections: 3 } })
    const outcomes = await Promise.all(Array.from({ length: 30 }, () => deliverWith(deliverer)))
    expect(outcomes.flatMap(told)).toEqual(Array(30).fill(DELIVERED[0]))
    expect(hop.connections).toHaveLength(3)
  })

  test('wait their turn also behind connections that break', async () => {
    hop.follow({ rcpt: (_, connection) => (connection % 2 === 1 ? { cut: '' } : '250 Ok') })
    delivererWith({ limits: { maxConnections: 1 } })
    const outcomes = await Promise.all(Array.from({ length: 6 }, () => deliverWith(deliverer)))
    expect(new Set(outcomes.flatMap(told))).toEqual(
      new Set([...DELIVERED, 'deferred: connection closed by the next hop']),
    )
  })

  test('wait no longer than an attempt lasts', async () => {
    hop.follow({ dot: 'silence' })
    delivererWith({ limits: { maxConnections: 1 }, timeouts: { attempt: 200, dot: 2000 } })
    const first = deliverWith(deliverer)
    await expect.poll(() => hop.messages.length).toBe(1)
    expect(told(await deliverWith(deliverer))).toEqual(['deferred: all 1 connections are busy'])
    for (const socket of hop.open) socket.write('250 2.0.0 Ok\r\n')
    expect(told(await first)).toEqual(['delivered: 250 2.0.0 Ok'])
  })

  test('stop waiting when they are called off, and nobody else loses a turn', async () => {
    hop.follow({ dot: 'silence' })
    delivererWith({ limits: { maxConnections: 1 } })
    const stop = new AbortController()
    const first = deliverWith(deliverer)
    await expect.poll(() => hop.messages.length).toBe(1)
    const second = deliverWith(deliverer, { signal: stop.signal })
    const third = deliverWith(deliverer)
    stop.abort(new Error('off'))
    await expect(second).rejects.toThrow('off')
    hop.follow({})
    for (const socket of hop.open) socket.write('250 2.0.0 Ok: queued as 42\r\n')
    expect([...told(await first), ...told(await third)]).toEqual([...DELIVERED, ...DELIVERED])
  })
})

test('close says QUIT and returns although the next hop does not answer it', async () => {
  hop.follow({ quit: 'silence' })
  delivererWith({ timeouts: { quit: 50 } })
  await deliverWith(deliverer)
  await deliverer.close()
  expect(verbs(0)?.at(-1)).toBe('QUIT')
  await expect.poll(() => hop.open.size).toBe(0)
})
