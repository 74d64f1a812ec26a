// What a delivery job writes down, and when, where no story shows it. The storage is the embedded home's own; the
// deliverer is one whose outcomes come when a test says so.
import { rm } from 'node:fs/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openEmbedded } from '../../src/backends.ts'
import type { Deliverer } from '../../src/deliver/deliverer.ts'
import { createDeliveryHandler } from '../../src/deliver/delivery-job.ts'
import type { Outcome } from '../../src/deliver/outcome.ts'
import { createReporter, type ReporterOptions } from '../../src/deliver/report.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { readLedger } from '../../src/spool/ledger.ts'
import type { Backends } from '../../src/storage/backends.ts'
import { temporaryDirectory } from '../storage/embedded-home.ts'
import { storeMessage } from '../storage/stored-message.ts'

const signal = new AbortController().signal

let directory: string
let backends: Backends
beforeEach(async () => {
  directory = await temporaryDirectory()
  backends = await openEmbedded({ dataDir: `${directory}/data`, now: Date.now })
})
afterEach(async () => {
  await backends.close()
  await rm(directory, { recursive: true })
})

const outcome = (recipient: string, kind: Outcome['kind']): Outcome => ({
  recipient,
  kind,
  nextHop: 'smtp://192.0.2.1:25',
  reply: kind === 'delivered' ? '250 Ok' : '451 Later',
  seconds: 0.1,
})

function reporterOf(using: Backends, options: Partial<ReporterOptions> = {}) {
  return createReporter({
    backends: using,
    hostname: 'mx.example.com',
    enabled: true,
    perSender: { amount: 20, period: 3_600_000 },
    delayWarning: 0,
    lifetime: 3_600_000,
    log: silentLog,
    metrics: createMetrics(),
    ...options,
  })
}

/** Leases the job of a message and runs it with this course of the delivery. */
async function deliver(
  queueId: string,
  recipients: readonly string[],
  course: Deliverer['deliver'],
  using = backends,
  metrics = createMetrics(),
) {
  const id = `${queueId}/delivery/1`
  await backends.deliveryJobs.enqueue({ kind: 'delivery', id, queueId, recipients, attempt: 1, headers: [] })
  const [lease] = await backends.deliveryJobs.lease(1, signal)
  const handle = createDeliveryHandler({
    backends: using,
    deliverer: { deliver: course },
    reporter: reporterOf(using),
    retrySchedule: { delays: [1000], lifetime: 3_600_000 },
    claimTime: 1000,
    now: Date.now,
    log: silentLog,
    metrics,
  })
  await handle(lease!, signal)
}

const statesOf = async (queueId: string) =>
  Object.fromEntries(
    (await backends.records.get(queueId))!.recipients.map(({ recipient, state }) => [recipient, state]),
  )
const BOTH = ['a@example.com', 'b@example.com'] as const

test('an outcome is durable before the next hop is asked for anything else, and the ledger balances at once', async () => {
  const queueId = await storeMessage(backends, { recipients: BOTH })
  await deliver(queueId, BOTH, async (_request, onOutcome) => {
    await onOutcome([outcome('a@example.com', 'delivered')])
    expect(await statesOf(queueId)).toEqual({ 'a@example.com': 'delivered', 'b@example.com': 'queued' })
    expect(await readLedger(backends)).toMatchObject({ delivered: 1, queued: { active: 1 }, imbalance: 0 })
    await onOutcome([outcome('b@example.com', 'delivered')])
    expect(await readLedger(backends)).toMatchObject({ delivered: 2, queued: { active: 0 }, imbalance: 0 })
  })
  await expect(backends.messages.open(queueId)).rejects.toThrow('no content')
})

test('what is deferred keeps the content and waits alone', async () => {
  const queueId = await storeMessage(backends, { recipients: BOTH })
  await deliver(queueId, BOTH, async (_request, onOutcome) => {
    await Promise.all([
      onOutcome([outcome('a@example.com', 'deferred')]),
      onOutcome([outcome('b@example.com', 'delivered')]),
    ])
  })
  expect(await statesOf(queueId)).toEqual({ 'a@example.com': 'deferred', 'b@example.com': 'delivered' })
  const [deferral] = await backends.records.due(Date.now() + 5000, 10)
  expect(deferral?.job).toMatchObject({ attempt: 2, recipients: ['a@example.com'] })
  expect((await backends.messages.open(queueId)).size).toBeGreaterThan(0)
  expect(await readLedger(backends)).toMatchObject({ queued: { active: 0, deferred: 1 }, delivered: 1, imbalance: 0 })
})

test('an outcome that could not be written down keeps the job, whatever came after it', async () => {
  const queueId = await storeMessage(backends, { recipients: BOTH })
  let writes = 0
  const failing: Backends = {
    ...backends,
    provisionally: (...all) =>
      ++writes === 1 ? Promise.reject(new Error('disk full')) : backends.provisionally(...all),
  }
  const delivery = deliver(
    queueId,
    BOTH,
    async (_request, onOutcome) => {
      const first = onOutcome([outcome('a@example.com', 'delivered')])
      const second = onOutcome([outcome('b@example.com', 'delivered')])
      await Promise.allSettled([first, second])
      await first
    },
    failing,
  )
  await expect(delivery).rejects.toThrow('disk full')
  expect(await statesOf(queueId)).toEqual({ 'a@example.com': 'queued', 'b@example.com': 'delivered' })
  expect((await backends.messages.open(queueId)).size).toBeGreaterThan(0)
  expect(await readLedger(backends)).toMatchObject({ delivered: 1, queued: { active: 1 }, imbalance: 0 })
})

test('a delivery that ends without an outcome for somebody is a failure of the job', async () => {
  const queueId = await storeMessage(backends, { recipients: BOTH })
  const delivery = deliver(queueId, BOTH, (_request, onOutcome) => onOutcome([outcome('a@example.com', 'delivered')]))
  await expect(delivery).rejects.toThrow('1 recipients have no outcome')
  expect(await readLedger(backends)).toMatchObject({ delivered: 1, queued: { active: 1 }, imbalance: 0 })
})

test('recipients that another worker tries right now are left alone, and the job comes again later', async () => {
  const queueId = await storeMessage(backends, { recipients: BOTH })
  const now = Date.now()
  await backends.records.claim(queueId, ['a@example.com'], { claimant: 'other', until: now + 60_000 }, now)
  await deliver(queueId, BOTH, () => Promise.reject(new Error('nobody was to be tried')))
  expect(await backends.deliveryJobs.tally()).toMatchObject({
    incoming: { jobs: 1, recipients: 2 },
    active: { jobs: 0 },
  })
})

test('a job whose content cannot be read claims nobody, so that it is tried again soon', async () => {
  const queueId = await storeMessage(backends, { recipients: BOTH })
  await backends.messages.remove(queueId)
  const delivery = deliver(queueId, BOTH, () => Promise.reject(new Error('nobody was to be tried')))
  await expect(delivery).rejects.toThrow('no content')
  const claim = { claimant: 'the next try', until: Date.now() + 60_000 }
  expect(await backends.records.claim(queueId, BOTH, claim, Date.now())).toHaveLength(2)
})

test('a job that comes again for what is done does nothing but end', async () => {
  const queueId = await storeMessage(backends)
  const recipients = ['bob@example.com']
  await deliver(queueId, recipients, (_request, onOutcome) => onOutcome([outcome('bob@example.com', 'delivered')]))
  await deliver(queueId, recipients, () => Promise.reject(new Error('nobody was to be tried')))
  expect(await backends.deliveryJobs.tally()).toMatchObject({ incoming: { jobs: 0 }, active: { jobs: 0 } })
  expect(await readLedger(backends)).toMatchObject({ accepted: 1, delivered: 1, imbalance: 0 })
})

const NEXT_HOP = 'smtp://192.0.2.1:25'
/** The marks that whoever comes when all claims are over finds. */
async function marksOf(queueId: string) {
  const later = Date.now() + 60_000
  const claimed = await backends.records.claim(queueId, BOTH, { claimant: 'later', until: later }, later)
  return Object.fromEntries(claimed.map(({ recipient, sending }) => [recipient, sending?.nextHop]))
}

test('what a next hop has answered is in doubt no longer, although its outcome waits for the others', async () => {
  const queueId = await storeMessage(backends, { recipients: BOTH })
  const delivery = deliver(queueId, BOTH, async ({ mark }, onOutcome) => {
    await mark?.set(BOTH, NEXT_HOP)
    await onOutcome([outcome('a@example.com', 'deferred')])
    throw new Error('the worker dies here')
  })
  await expect(delivery).rejects.toThrow('dies here')
  expect(await statesOf(queueId)).toEqual({ 'a@example.com': 'queued', 'b@example.com': 'queued' })
  expect(await marksOf(queueId)).toEqual({ 'a@example.com': undefined, 'b@example.com': NEXT_HOP })
})

test('a doubt that an attempt has left is told once, and the recipient is tried again', async () => {
  const queueId = await storeMessage(backends, { recipients: BOTH })
  const metrics = createMetrics()
  const dies: Deliverer['deliver'] = async ({ mark }) => {
    await mark?.set(['b@example.com'], NEXT_HOP)
    throw new Error('the worker dies here')
  }
  await expect(deliver(queueId, BOTH, dies, backends, metrics)).rejects.toThrow('dies here')
  await backends.close()
  backends = await openEmbedded({ dataDir: `${directory}/data`, now: Date.now })

  const diesSooner = () => Promise.reject(new Error('before the dot'))
  await expect(deliver(queueId, BOTH, diesSooner, backends, metrics)).rejects.toThrow('before the dot')
  await backends.close()
  backends = await openEmbedded({ dataDir: `${directory}/data`, now: Date.now })

  await deliver(
    queueId,
    BOTH,
    (_request, onOutcome) => onOutcome(BOTH.map(recipient => outcome(recipient, 'delivered'))),
    backends,
    metrics,
  )
  const { events } = (await backends.records.get(queueId))!
  const doubts = events.filter(({ event }) => event === 'in-doubt')
  expect(doubts).toMatchObject([{ recipients: ['b@example.com'], nextHop: NEXT_HOP, attempt: 1 }])
  expect(await metrics.registry.metrics()).toContain('elemta_delivery_in_doubt_total{reason="crash"} 1\n')
  expect(await readLedger(backends)).toMatchObject({ delivered: 2, imbalance: 0 })
})
