// Reports and what they are about in one write, over the real spool: what is stored, what is not when something fails.
import { rm } from 'node:fs/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openEmbedded } from '../../src/backends.ts'
import type { Deliverer } from '../../src/deliver/deliverer.ts'
import { createDeliveryHandler } from '../../src/deliver/delivery-job.ts'
import { LARGEST_RETURNED, readOriginal } from '../../src/deliver/original.ts'
import type { Outcome } from '../../src/deliver/outcome.ts'
import { createReporter } from '../../src/deliver/report.ts'
import { createReportRate } from '../../src/deliver/report-rate.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { readLedger } from '../../src/spool/ledger.ts'
import type { Backends } from '../../src/storage/backends.ts'
import { temporaryDirectory } from '../storage/embedded-home.ts'
import { storeMessage } from '../storage/stored-message.ts'

const signal = new AbortController().signal
const HOUR = 3_600_000

let directory: string
let backends: Backends
let metrics: ReturnType<typeof createMetrics>
beforeEach(async () => {
  directory = await temporaryDirectory()
  backends = await openEmbedded({ dataDir: `${directory}/data`, now: Date.now })
  metrics = createMetrics()
})
afterEach(async () => {
  await backends.close()
  await rm(directory, { recursive: true })
})

const refused = (recipient: string, nextHop = 'smtp://192.0.2.1:25'): Outcome => ({
  recipient,
  kind: 'failed',
  nextHop,
  reply: '550 5.1.1 No such user',
  seconds: 0.1,
})

/** A scanned, clean message that ends like this. */
async function deliver(recipients: readonly string[], course: Deliverer['deliver'], using = backends) {
  const queueId = await storeMessage(backends, { recipients })
  await backends.records.note(queueId, [{ at: 0, event: 'verdict', decision: 'deliver', why: '' }], [])
  const job = { kind: 'delivery', id: `${queueId}/delivery/1`, queueId, recipients, attempt: 1, headers: [] } as const
  await backends.deliveryJobs.enqueue(job)
  const [lease] = await backends.deliveryJobs.lease(1, signal)
  const shared = { backends: using, log: silentLog, metrics }
  const reporter = createReporter({
    ...shared,
    hostname: 'mx.example.com',
    enabled: true,
    perSender: { amount: 20, period: HOUR },
    delayWarning: 0,
    lifetime: HOUR,
  })
  const handle = createDeliveryHandler({
    ...shared,
    deliverer: { deliver: course },
    reporter,
    retrySchedule: { delays: [1000], lifetime: HOUR },
    claimTime: 1000,
    now: Date.now,
  })
  await handle(lease!, signal).catch(error => {
    if (using === backends) throw error
  })
  return (await backends.records.get(queueId))!
}

async function contents(): Promise<string[]> {
  const ids: string[] = []
  for await (const id of backends.messages.list()) ids.push(id)
  return ids
}

const count = async (series: string) =>
  Number(
    (await metrics.registry.metrics())
      .split('\n')
      .find(line => line.startsWith(`${series} `))
      ?.split(' ')[1],
  )

test('refusals of several next hops in one attempt are one report', async () => {
  const record = await deliver(['a@example.com', 'b@example.com'], async (_request, onOutcome) => {
    await onOutcome([refused('a@example.com')])
    await onOutcome([refused('b@example.com', 'smtp://192.0.2.2:25')])
  })
  expect(record.recipients.map(({ state }) => state)).toEqual(['failed', 'failed'])
  const reported = record.events.filter(({ event }) => event === 'reported')
  expect(reported).toMatchObject([{ action: 'failed', recipients: ['a@example.com', 'b@example.com'] }])
  const { queueId } = reported[0] as { queueId: string }
  expect(await contents()).toEqual([queueId])
  expect(await backends.records.get(queueId)).toMatchObject({
    message: {
      client: { address: 'local' },
      envelope: { reversePath: '', recipients: [{ address: 'sender@example.org' }] },
    },
    events: [{ event: 'accepted' }, { event: 'verdict', decision: 'deliver', why: 'our own report' }],
  })
  expect(await readLedger(backends)).toMatchObject({ accepted: 3, failed: 2, queued: { incoming: 1 }, imbalance: 0 })
})

test('a report that cannot be written is lost and counted; the failure is recorded all the same', async () => {
  const messages = {
    ...backends.messages,
    draft() {
      throw new Error('no room')
    },
  }
  const record = await deliver(['a@example.com'], (_request, onOutcome) => onOutcome([refused('a@example.com')]), {
    ...backends,
    messages,
  })
  expect(record.recipients).toEqual([{ recipient: 'a@example.com', state: 'failed' }])
  expect(record.events.map(({ event }) => event)).not.toContain('reported')
  expect(await count('elemta_dsn_lost_total')).toBe(1)
  expect(await readLedger(backends)).toMatchObject({ accepted: 1, failed: 1, imbalance: 0 })
})

test('a failure that cannot be recorded has no report either', async () => {
  const full = () => Promise.reject(new Error('disk full'))
  const failing: Backends = { ...backends, together: full, provisionally: full }
  const record = await deliver(
    ['a@example.com'],
    (_request, onOutcome) => onOutcome([refused('a@example.com')]),
    failing,
  )
  expect(record.recipients).toEqual([{ recipient: 'a@example.com', state: 'queued' }])
  expect(await contents()).toEqual([record.message.queueId])
  expect(await count('elemta_dsn_total{action="failed"}')).toBe(0)
  expect(await readLedger(backends)).toMatchObject({ accepted: 1, queued: { active: 1 }, imbalance: 0 })
})

test('of an endless header the first fields are shown, and no half of one', async () => {
  const field = `X-Long: ${'x'.repeat(1000)}\r\n`
  const octets = Buffer.from(`${field.repeat(100)}\r\nbody\r\n`)
  const content = {
    size: octets.length,
    async *chunks() {
      for (let at = 0; at < octets.length; at += 777) yield octets.subarray(at, at + 777)
    },
  }
  const original = await readOriginal(content, true)
  expect(original.part).toBe('header')
  expect(original.octets.length % field.length).toBe(0)
  expect(original.octets.length).toBeGreaterThan(LARGEST_RETURNED - 2 * field.length)
  expect(original.octets.length).toBeLessThanOrEqual(LARGEST_RETURNED)
})

test('a sender gets so many reports in a time, and again later; addresses are compared without case', () => {
  const mayTell = createReportRate({ amount: 2, period: HOUR })
  expect(['a@x.test', 'A@x.test', 'a@X.test', 'b@x.test'].map(address => mayTell(address, 0))).toEqual([
    true,
    true,
    false,
    true,
  ])
  expect(mayTell('a@x.test', HOUR / 2 - 1000)).toBe(false)
  expect(mayTell('a@x.test', HOUR / 2 + 1000)).toBe(true)
})
