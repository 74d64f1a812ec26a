// Back-pressure: when mail is refused for want of room, and when it is taken again.
import { afterEach, expect, test, vi } from 'vitest'
import { silentLog } from '../../src/platform/log.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { type PressureGauge, startPressureGauge } from '../../src/spool/pressure.ts'

let gauge: PressureGauge | undefined
afterEach(() => gauge?.stop())

/** A spool with so much in it. */
async function watched({ most = 10 } = {}) {
  const spool = { room: true, waiting: 0, active: 0, deferred: 0, fails: false }
  const metrics = createMetrics()
  const tally = async () => ({ incoming: { jobs: spool.waiting }, active: { jobs: spool.active } })
  const backends = {
    messages: {
      hasRoom: async () => {
        if (spool.fails) throw new Error('disk I/O error')
        return spool.room
      },
    },
    scanJobs: { tally },
    deliveryJobs: { tally: async () => ({ incoming: { jobs: 0 }, active: { jobs: 0 } }) },
    records: { tallyDeferrals: async () => ({ deferrals: spool.deferred }) },
  } as unknown as Parameters<typeof startPressureGauge>[0]['backends']
  gauge = await startPressureGauge({ backends, most: () => most, metrics, log: silentLog, interval: 2 })
  const metric = async (reason: string) => {
    const found = (await metrics.registry.metrics()).match(`elemta_back_pressure{reason="${reason}"} (\\d)`)
    return Number(found?.[1])
  }
  return { spool, metric, reason: () => gauge!.reason() }
}

test('everything that waits counts, wherever it waits; at the mark all is well', async () => {
  const { spool, metric, reason } = await watched()
  Object.assign(spool, { waiting: 4, active: 3, deferred: 3 })
  await vi.waitFor(() => expect(reason()).toBeUndefined())
  spool.deferred = 4
  await vi.waitFor(() => expect(reason()).toBe('queue'))
  expect([await metric('queue'), await metric('disk')]).toEqual([1, 0])
  spool.waiting = 0
  await vi.waitFor(() => expect(reason()).toBeUndefined())
  expect([await metric('queue'), await metric('disk')]).toEqual([0, 0])
})

test('a full disk comes before a full queue', async () => {
  const { spool, metric, reason } = await watched()
  Object.assign(spool, { room: false, waiting: 100 })
  await vi.waitFor(() => expect(reason()).toBe('disk'))
  expect([await metric('queue'), await metric('disk')]).toEqual([0, 1])
  spool.room = true
  await vi.waitFor(() => expect(reason()).toBe('queue'))
})

test('what cannot be found out changes nothing', async () => {
  const { spool, reason } = await watched()
  spool.waiting = 100
  await vi.waitFor(() => expect(reason()).toBe('queue'))
  Object.assign(spool, { fails: true, waiting: 0 })
  await new Promise(resolve => setImmediate(resolve))
  expect(reason()).toBe('queue')
  spool.fails = false
  await vi.waitFor(() => expect(reason()).toBeUndefined())
})
