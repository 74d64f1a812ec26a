// Several next hops, and mail for the living beside mail for the dead: real sockets, the order of things asserted.

import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, onTestFinished, test } from 'vitest'
import { freePort } from '../../local/embedded/port.ts'
import { openEmbedded } from '../../src/backends.ts'
import { createDeliverer, type Deliverer, type DelivererOptions } from '../../src/deliver/deliverer.ts'
import { createDeliveryHandler } from '../../src/deliver/delivery-job.ts'
import { createReporter } from '../../src/deliver/report.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { startWorker } from '../../src/spool/worker.ts'
import { temporaryDirectory } from '../storage/embedded-home.ts'
import { storeMessage } from '../storage/stored-message.ts'
import { deliverWith, HOSTNAME, told } from './messages.ts'
import { type NextHop, type Script, startNextHop } from './next-hop.ts'

const DELIVERED = 'delivered: 250 2.0.0 Ok: queued as 42'
let deliverer: Deliverer
afterEach(() => deliverer.close())

function delivererWith(options: Partial<DelivererOptions> & Pick<DelivererOptions, 'routes'>) {
  deliverer = createDeliverer({ hostname: HOSTNAME, ...options })
}

async function hopThat(script: Script = {}): Promise<NextHop> {
  const hop = await startNextHop(script)
  onTestFinished(() => hop.close())
  return hop
}

const inTurn = (...urls: string[]) => [
  { domains: ['*'], to: urls.map((to, n) => ({ to, priority: 10 * (n + 1), weight: 1 })) },
]

describe('with several next hops', () => {
  test.each<[string, Script]>([
    ['refuses to talk', { greeting: '554 5.3.2 Closed' }],
    ['is too busy', { greeting: '421 4.3.2 Not now' }],
    ['does not like our name', { hello: '450 4.7.1 Who?', helo: '450 4.7.1 Who?' }],
    ['says nothing at all', { greeting: 'silence' }],
  ])('a message goes to the next one at once where the first %s', async (_, script) => {
    const [first, second] = [await hopThat(script), await hopThat()]
    delivererWith({ routes: inTurn(first.url, second.url), timeouts: { greeting: 50 } })
    expect(told(await deliverWith(deliverer))).toEqual([DELIVERED])
    expect(second.messages).toHaveLength(1)
  })

  test('the one that failed is not asked by the next message, the other one that has failed since is asked last', async () => {
    const [first, second] = [await hopThat({ greeting: '421 4.3.2 Not now' }), await hopThat()]
    delivererWith({ routes: inTurn(first.url, second.url) })
    for (let n = 0; n < 3; n++) await deliverWith(deliverer)
    expect(first.connections).toHaveLength(1)
    expect(second.messages).toHaveLength(3)
  })

  test('a message stays with the one that it was told to: it never goes out twice', async () => {
    const [first, second] = [await hopThat({ dot: { cut: '' } }), await hopThat()]
    delivererWith({ routes: inTurn(first.url, second.url) })
    expect(told(await deliverWith(deliverer))).toEqual(['deferred: connection closed by the next hop'])
    expect([first.messages.length, second.messages.length]).toEqual([1, 0])
  })

  test('what one says of the message is the last word', async () => {
    const [first, second] = [await hopThat({ rcpt: '550 5.1.1 Who?' }), await hopThat()]
    delivererWith({ routes: inTurn(first.url, second.url) })
    expect(told(await deliverWith(deliverer))).toEqual(['failed: 550 5.1.1 Who?'])
    expect(second.connections).toHaveLength(0)
  })

  test('the last one is told of when none of them is there', async () => {
    const urls = [await freePort(), await freePort()].map(port => `smtp://127.0.0.1:${port}`)
    delivererWith({ routes: inTurn(...urls) })
    const [outcome] = (await deliverWith(deliverer)).values()
    expect(outcome).toMatchObject({ kind: 'deferred', nextHop: urls[1], reply: 'connection refused' })
  })
})

describe('a destination that is down', () => {
  test('costs no connection, says why, and says when to come again', async () => {
    const hop = await hopThat({ greeting: '421 4.3.2 Not now' })
    const metrics = createMetrics()
    let time = Date.UTC(2026, 0, 1)
    delivererWith({ routes: [{ domains: ['*'], to: hop.url }], metrics, now: () => time, random: () => 0.5 })
    for (let n = 0; n < 3; n++) await deliverWith(deliverer)
    const [outcome] = (await deliverWith(deliverer)).values()
    expect(outcome).toMatchObject({
      kind: 'deferred',
      reply: 'destination down since 2026-01-01T00:00:00.000Z: 421 4.3.2 Not now',
      retryAt: time + 33_750,
    })
    expect(hop.connections).toHaveLength(3)
    const text = await metrics.registry.metrics()
    expect(text).toContain('elemta_delivery_destinations_down 1')
    expect(text).toContain('elemta_delivery_postponed_total{reason="down"} 1')
    expect(text).toContain('elemta_delivery_failure_reasons_total{route="default",reason="session"} 3')

    time += 30_000
    hop.follow({})
    expect(told(await deliverWith(deliverer))).toEqual([DELIVERED])
    expect(await metrics.registry.metrics()).toContain('elemta_delivery_destinations_down 0')
  })
})

test('a rate of the route puts off those above it', async () => {
  const hop = await hopThat()
  delivererWith({ routes: [{ domains: ['*'], to: hop.url, rate: { amount: 2, period: 60_000 } }] })
  for (let n = 0; n < 2; n++) expect(told(await deliverWith(deliverer))).toEqual([DELIVERED])
  const [outcome] = (await deliverWith(deliverer)).values()
  expect(outcome).toMatchObject({ kind: 'deferred', reply: 'more than 2 messages in 60 s' })
  expect(outcome?.retryAt).toBeGreaterThan(Date.now())
})

/** Accepts connections and never says a word. */
async function swallower(): Promise<{ url: string; open: Set<Socket> }> {
  const open = new Set<Socket>()
  const server: Server = createServer(socket => {
    open.add(socket)
    socket.on('error', () => {})
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    for (const socket of open) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  return { url: `smtp://127.0.0.1:${(server.address() as { port: number }).port}`, open }
}

describe('a thousand messages for a destination that takes connections and says nothing', () => {
  test('do not keep one for another destination waiting, and use up none of their attempts', async () => {
    const dead = await swallower()
    const good = await hopThat()
    const directory = await temporaryDirectory()
    onTestFinished(() => rm(directory, { recursive: true }))
    const backends = await openEmbedded({ dataDir: `${directory}/data`, now: Date.now })
    onTestFinished(() => backends.close())
    const metrics = createMetrics()
    const concurrency = 20
    // As in earnest nobody times out as long as the test lasts.
    delivererWith({
      routes: [
        { domains: ['dead.example'], to: dead.url },
        { domains: ['*'], to: good.url },
      ],
      concurrency,
      metrics,
    })
    const retrySchedule = { delays: [60_000], lifetime: 86_400_000 }
    const common = { now: Date.now, log: silentLog, metrics }
    const reporter = createReporter({
      ...{ backends, hostname: HOSTNAME, enabled: true, perSender: { amount: 20, period: 3_600_000 } },
      ...{ delayWarning: 0, lifetime: 86_400_000, log: silentLog, metrics },
    })
    const handle = createDeliveryHandler({ backends, deliverer, reporter, retrySchedule, claimTime: 60_000, ...common })
    const stop = new AbortController()

    const enqueue = async (recipient: string) => {
      const queueId = await storeMessage(backends, { recipients: [recipient] })
      const id = `${queueId}/delivery/1`
      await backends.deliveryJobs.enqueue({
        ...{ kind: 'delivery', id, queueId, recipients: [recipient], attempt: 1, headers: [] },
      })
      return queueId
    }
    const first = await Promise.all(Array.from({ length: 1000 }, (_, n) => enqueue(`u${n}@dead.example`)))
    await enqueue('bob@good.example')

    const worker = startWorker({
      stage: 'delivery',
      queue: backends.deliveryJobs,
      concurrency,
      handle: lease => handle(lease, stop.signal),
      giveUp: () => Promise.reject(new Error('nothing is given up here')),
      log: silentLog,
      metrics,
    })
    await expect.poll(() => good.messages.length, { timeout: 20_000 }).toBe(1)
    expect(dead.open.size).toBeLessThan(10)
    const waiting = await backends.records.due(Date.now() + 3_600_000, 2000)
    expect(waiting.length).toBeGreaterThan(900)
    expect(waiting.every(({ job }) => job.attempt === 1)).toBe(true)
    const { events } = (await backends.records.get(waiting[0]!.job.queueId))!
    expect(events.at(-1)).toMatchObject({ event: 'deferred', why: expect.stringContaining('connections are busy') })
    expect(first).toContain(waiting[0]!.job.queueId)

    stop.abort(new Error('the test is over'))
    await worker.drain()
  })
})
