// The clock is put forward or back while mail waits for its next attempt: nothing expires early, nothing waits for ever.
import { rm } from 'node:fs/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { openEmbedded } from '../../src/backends.ts'
import { createDeliveryHandler } from '../../src/deliver/delivery-job.ts'
import { createReporter } from '../../src/deliver/report.ts'
import { createClockWatch } from '../../src/platform/clock-watch.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { readLedger } from '../../src/spool/ledger.ts'
import { startSweeper } from '../../src/spool/sweep.ts'
import type { Backends } from '../../src/storage/backends.ts'
import { temporaryDirectory } from '../storage/embedded-home.ts'
import { storeMessage } from '../storage/stored-message.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const BOB = 'bob@example.com'
const signal = new AbortController().signal

let wall: number
let steady: number
let directory: string
let backends: Backends
let queueId: string
beforeEach(async () => {
  wall = Date.now()
  steady = 0
  directory = await temporaryDirectory()
  backends = await openEmbedded({ dataDir: `${directory}/data`, now: () => wall })
  queueId = await storeMessage(backends, { recipients: [BOB] })
})
afterEach(async () => {
  await backends.close()
  await rm(directory, { recursive: true })
})

function pass(time: number, put = 0): void {
  steady += time
  wall += time + put
}

const now = () => wall
const metrics = createMetrics()
const common = { log: silentLog, metrics }

/** Attempts at a next hop that always says 451. */
function attempts() {
  const clock = createClockWatch({ now, steady: () => steady, log: silentLog })
  const reporter = createReporter({
    ...{ backends, hostname: 'mx.example.com', enabled: true, delayWarning: 0, lifetime: 5 * DAY, ...common },
    perSender: { amount: 20, period: HOUR },
  })
  const handle = createDeliveryHandler({
    ...{ backends, reporter, clock, now, claimTime: 1000, ...common },
    retrySchedule: { delays: [HOUR], lifetime: 5 * DAY },
    deliverer: {
      deliver: async (_request, onOutcome) => {
        const later = { kind: 'deferred', nextHop: 'smtp://192.0.2.1:25', reply: '451 Later', seconds: 0.1 } as const
        await onOutcome([{ recipient: BOB, ...later }])
      },
    },
  })
  return async (attempt: number) => {
    const id = `${queueId}/delivery/${attempt}`
    await backends.deliveryJobs.enqueue({ kind: 'delivery', id, queueId, recipients: [BOB], attempt, headers: [] })
    const [lease] = await backends.deliveryJobs.lease(1, signal)
    await handle(lease!, signal)
    return (await backends.records.get(queueId))!.recipients[0]!.state
  }
}

/** When the next attempt is planned, in milliseconds from now. */
async function nextIn(): Promise<number> {
  const { events } = (await backends.records.get(queueId))!
  const last = events.findLast(({ event }) => event === 'deferred')
  return last?.event === 'deferred' ? last.dueAt - wall : Number.NaN
}

test('put forward by 30 days, mail is not given up: it is tried again by the schedule, and expires in its own time', async () => {
  const attempt = attempts()
  expect(await attempt(1)).toBe('deferred')
  pass(HOUR, 30 * DAY)
  expect(await attempt(2)).toBe('deferred')
  expect(Math.abs((await nextIn()) - HOUR)).toBeLessThanOrEqual(HOUR / 10)
  pass(HOUR, -30 * DAY)
  expect(await attempt(3)).toBe('deferred')
  pass(5 * DAY)
  expect(await attempt(4)).toBe('failed')
})

test('put back by 30 days, what waits is brought back at once instead of in 30 days', async () => {
  const attempt = attempts()
  expect(await attempt(1)).toBe('deferred')
  expect((await readLedger(backends)).queued).toMatchObject({ deferred: 1, incoming: 0 })
  const sweeper = startSweeper(backends, now, 5, silentLog)
  try {
    pass(1000, -30 * DAY)
    await vi.waitFor(async () =>
      expect((await readLedger(backends)).queued).toMatchObject({ deferred: 0, incoming: 1 }),
    )
  } finally {
    await sweeper.stop()
  }
  expect(await readLedger(backends)).toMatchObject({ accepted: 1, imbalance: 0 })
})
