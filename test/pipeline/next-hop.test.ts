// Next hops in trouble: what they cannot take now is tried again, what they refuse is not, nothing is lost and nothing
// comes twice.
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { freePort } from '../../local/embedded/port.ts'
import { type NextHop, type Script, startNextHop } from '../deliver/next-hop.ts'
import { type Gateway, startGateway } from './gateway.ts'
import { mail, send } from './mail.ts'

/** A gateway that delivers to this next hop, does not wait long between attempts and tells senders nothing. */
async function gatewayTo(to: string, delivery: Record<string, unknown> = {}): Promise<Gateway> {
  return startGateway({
    config: {
      routes: [{ domains: ['*'], to }],
      delivery: { retry_schedule: ['200ms'], dsn: { enabled: false }, ...delivery },
    },
  })
}

async function nextHopThat(script: Script = {}) {
  const nextHop = await startNextHop(script)
  onTestFinished(() => nextHop.close())
  return nextHop
}

const deferredOf = (gateway: Gateway, queueId: string) =>
  gateway.log(line => line.event === 'deferred' && line.queueId === queueId)

describe('a 4yz is tried again, and the message arrives once', () => {
  let nextHop: NextHop
  let gateway: Gateway
  beforeAll(async () => {
    nextHop = await startNextHop()
    gateway = await gatewayTo(nextHop.url)
  })
  afterAll(async () => {
    await gateway?.[Symbol.asyncDispose]()
    await nextHop?.close()
  })

  test.each<[where: string, script: Script]>([
    ['at the greeting', { greeting: '421 4.3.2 Not now' }],
    ['at MAIL', { mail: '451 4.3.0 Not now' }],
    ['at RCPT', { rcpt: '450 4.2.0 Greylisted' }],
    ['at DATA', { data: '451 4.3.0 Not now' }],
    ['behind the final dot', { dot: '452 4.3.1 Disk full' }],
    ['without a reply', { dot: { cut: '' } }],
  ])('%s', async (_where, script) => {
    // Connections are kept: the greeting is only said on a new one.
    for (const socket of nextHop.open) socket.destroy()
    nextHop.follow(script)
    const { queueId } = await send(gateway.port, { content: mail() })
    await deferredOf(gateway, queueId)
    const refused = nextHop.messages.length
    nextHop.follow({})
    const record = await gateway.settled(queueId, 'delivered')
    const arrived = nextHop.messages.slice(refused).filter(({ content }) => content.includes(` id ${queueId}\r\n`))
    expect(arrived).toHaveLength(1)
    const events = record.events.map(({ event }) => event)
    expect(events.slice(0, 4)).toEqual(['accepted', 'scanned', 'verdict', 'deferred'])
    expect(events.filter(event => event === 'delivered')).toHaveLength(1)
    expect(events.at(-1)).toBe('delivered')
  })

  test('and it is counted and told', async () => {
    expect(
      await gateway.metric('elemta_delivery_failures_total{route="default",kind="deferred"}'),
    ).toBeGreaterThanOrEqual(6)
    expect(await gateway.metric('elemta_delivery_retries_total{route="default"}')).toBeGreaterThanOrEqual(6)
    expect(await gateway.metric('elemta_messages_delivered_total')).toBe(6)
    expect(await gateway.ledger()).toMatchObject({ accepted: 6, delivered: 6, imbalance: 0 })
    const { stdout } = await gateway.elemta('trace', 'bob@example.com')
    expect(stdout.match(/deferred \(delivery, attempt 1\) by .*: 4/g)).toHaveLength(5)
  })
})

test('each recipient has its own outcome: only what was deferred is tried again', async () => {
  const nextHop = await nextHopThat({
    rcpt: said => (said.includes('later@') ? '450 4.2.0 Later' : said.includes('never@') ? '550 5.1.1 No' : '250 Ok'),
  })
  await using gateway = await gatewayTo(nextHop.url)
  const to = ['bob@example.com', 'later@example.com', 'never@example.com', 'carol@example.com']
  const { queueId } = await send(gateway.port, { to, content: mail() })
  await deferredOf(gateway, queueId)
  nextHop.follow({ rcpt: '250 2.1.5 Ok' })
  const record = await gateway.settled(queueId, 'delivered', 'failed')
  expect(Object.fromEntries(record.recipients.map(({ recipient, state }) => [recipient, state]))).toEqual({
    'bob@example.com': 'delivered',
    'later@example.com': 'delivered',
    'never@example.com': 'failed',
    'carol@example.com': 'delivered',
  })
  expect(nextHop.messages.map(({ recipients }) => recipients.map(line => line.slice(8)))).toEqual([
    ['<bob@example.com>', '<carol@example.com>'],
    ['<later@example.com>'],
  ])
  expect(await gateway.ledger()).toMatchObject({ accepted: 4, delivered: 3, failed: 1, imbalance: 0 })
  expect(await gateway.metric('elemta_messages_failed_total')).toBe(1)
  expect((await gateway.elemta('trace', queueId)).stdout).toMatch(
    /failed at .* for <never@example\.com>.*550 5\.1\.1 No/,
  )
})

test('mail for a next hop that is down waits, survives a restart, and arrives when it is up', async () => {
  const port = await freePort()
  const first = await gatewayTo(`smtp://127.0.0.1:${port}`, { retry_schedule: ['1s'] })
  const contents = Array.from({ length: 5 }, () => mail())
  const sent = await Promise.all(contents.map(content => send(first.port, { content })))
  for (const { queueId } of sent) await deferredOf(first, queueId)
  await first.settled(sent[0]!.queueId, 'deferred')
  expect(await first.metric('elemta_queue_size{queue_type="deferred"}')).toBeGreaterThan(0)
  expect(await first.ledger()).toMatchObject({ accepted: 5, imbalance: 0 })
  expect(await first.stop()).toBe(0)

  const nextHop = await startNextHop({}, port)
  onTestFinished(() => nextHop.close())
  await using gateway = await startGateway({
    directory: first.directory,
    config: { routes: [{ domains: ['*'], to: `smtp://127.0.0.1:${port}` }] },
  })
  // It was given up for half a minute: an operator says that it is back.
  await gateway.elemta('queue', 'flush')
  for (const { queueId } of sent) await gateway.settled(queueId, 'delivered')
  expect(nextHop.messages.map(({ content }) => contents.findIndex(text => content.includes(text))).sort()).toEqual([
    0, 1, 2, 3, 4,
  ])
  expect(await gateway.ledger()).toMatchObject({ accepted: 5, delivered: 5, imbalance: 0 })
  expect(await gateway.metric('elemta_queue_size{queue_type="deferred"}')).toBe(0)
})

test('what cannot be delivered within the lifetime fails, and says so', async () => {
  const nextHop = await nextHopThat({ mail: '451 4.3.0 Not now' })
  await using gateway = await gatewayTo(nextHop.url, { lifetime: '1500ms' })
  const { queueId } = await send(gateway.port, { content: mail() })
  const record = await gateway.settled(queueId, 'failed')
  expect(record.events.at(-1)).toMatchObject({
    event: 'failed',
    reply: expect.stringMatching(/451 4\.3\.0 Not now.*\(given up after the queue lifetime\)/),
  })
  expect(nextHop.messages).toEqual([])
  expect(await gateway.ledger()).toMatchObject({ accepted: 1, failed: 1, imbalance: 0 })
})

test('a next hop that never answers holds up nobody else', async () => {
  const silent = await nextHopThat({ greeting: 'silence' })
  const nextHop = await nextHopThat()
  await using gateway = await startGateway({
    config: {
      relay: { domains: ['example.com', 'silent.example'], networks: [] },
      routes: [
        { domains: ['silent.example'], to: silent.url },
        { domains: ['*'], to: nextHop.url },
      ],
    },
  })
  const to = ['bob@silent.example', 'bob@example.com']
  const { queueId } = await send(gateway.port, { to, content: mail() })
  const { queueId: other } = await send(gateway.port, { content: mail() })
  await gateway.settled(other, 'delivered')
  await gateway.log(line => line.event === 'delivered' && line.queueId === queueId)
  expect(await gateway.ledger()).toMatchObject({ accepted: 3, delivered: 2, imbalance: 0 })
})
