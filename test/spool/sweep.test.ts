// Deferrals go back to their queues when they are due, and scans at once when a scanner is back.
import { rm } from 'node:fs/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openEmbedded } from '../../src/backends.ts'
import type { Job } from '../../src/mail/job.ts'
import { mintQueueId } from '../../src/mail/queue-id.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { createGiveUp } from '../../src/spool/dead-letter.ts'
import { refreshLedgerGauges, refreshQueueGauges } from '../../src/spool/gauges.ts'
import { readLedger } from '../../src/spool/ledger.ts'
import { startSweeper, sweepDeferred } from '../../src/spool/sweep.ts'
import type { Backends } from '../../src/storage/backends.ts'
import { acceptedEvent, acceptedMessage } from '../contract/home.ts'
import { temporaryDirectory } from '../storage/embedded-home.ts'

const NOW = 1_700_000_000_000
const never = new AbortController().signal

let directory: string
let backends: Backends
beforeEach(async () => {
  directory = await temporaryDirectory()
  backends = await openEmbedded({ dataDir: `${directory}/data`, now: () => NOW })
})
afterEach(async () => {
  await backends.close()
  await rm(directory, { recursive: true })
})

/** An accepted message that waits for its next attempt. */
async function deferred(kind: Job['kind'], dueAt: number, recipients = ['bob@example.com']): Promise<Job> {
  const queueId = mintQueueId(NOW)
  const common = { id: `${queueId}/${kind}/2`, queueId, recipients, attempt: 2 }
  const job: Job = kind === 'scan' ? { ...common, kind } : { ...common, kind, headers: [] }
  await backends.together(
    () => backends.records.create(acceptedMessage({ queueId, recipients, acceptedAt: NOW - 60_000 }), acceptedEvent()),
    () => backends.records.defer({ job, dueAt }),
    () =>
      backends.records.note(
        queueId,
        [],
        recipients.map(recipient => ({ recipient, state: 'deferred' })),
      ),
  )
  return job
}

const stateOf = async ({ queueId }: Job) => (await backends.records.get(queueId))?.recipients[0]?.state

test('what is due goes back to its own queue, once; the rest waits', async () => {
  const scan = await deferred('scan', NOW - 1)
  const delivery = await deferred('delivery', NOW)
  const later = await deferred('delivery', NOW + 1)
  expect(await sweepDeferred(backends, NOW)).toBe(2)
  expect(await sweepDeferred(backends, NOW)).toBe(0)
  expect((await backends.scanJobs.lease(5, never)).map(({ job }) => job)).toEqual([scan])
  expect((await backends.deliveryJobs.lease(5, never)).map(({ job }) => job)).toEqual([delivery])
  expect([await stateOf(scan), await stateOf(delivery), await stateOf(later)]).toEqual(['queued', 'queued', 'deferred'])
  expect(await readLedger(backends)).toMatchObject({ accepted: 3, queued: { active: 2, deferred: 1 }, imbalance: 0 })
})

test('a flush brings back every scan, due or not, and no delivery', async () => {
  const sweeper = startSweeper(backends, () => NOW, 3_600_000, silentLog)
  for (let n = 0; n < 20; n++) await deferred('delivery', NOW + 1000)
  const scans = await Promise.all([1, 2, 3].map(hours => deferred('scan', NOW + hours * 3_600_000)))
  await sweeper.flushScans()
  await sweeper.stop()
  const leased = await backends.scanJobs.lease(10, never)
  expect(leased.map(({ job }) => job.id).sort()).toEqual(scans.map(({ id }) => id).sort())
  expect(await backends.deliveryJobs.tally()).toMatchObject({ incoming: { jobs: 0 } })
})

test('the sweeper sweeps by itself', async () => {
  const job = await deferred('scan', NOW)
  const sweeper = startSweeper(backends, () => NOW, 1, silentLog)
  expect((await backends.scanJobs.lease(1, never))[0]?.job).toEqual(job)
  await sweeper.stop()
})

test('the gauges show what waits, where, and since when', async () => {
  const metrics = createMetrics()
  await deferred('scan', NOW + 1000)
  await deferred('delivery', NOW + 1000, ['a@example.com', 'b@example.com'])
  const [active, incoming, dead] = [
    await deferred('scan', NOW),
    await deferred('scan', NOW),
    await deferred('delivery', NOW),
  ]
  await sweepDeferred(backends, NOW)
  const [lease] = await backends.scanJobs.lease(1, never)
  expect([active!.id, incoming!.id]).toContain(lease!.job.id)
  const [poison] = await backends.deliveryJobs.lease(1, never)
  expect(poison!.job).toEqual(dead)
  const giveUp = createGiveUp(backends.deliveryJobs, { backends, now: () => NOW, log: silentLog, metrics })
  await giveUp(poison!, 'poison')

  await refreshQueueGauges(backends, metrics, NOW + 5000)
  await refreshLedgerGauges(backends, metrics)
  const text = await metrics.registry.metrics()
  const lines = text.split('\n').filter(line => /^elemta_(queue_size|queue_oldest|ledger|dead_letters)/.test(line))
  expect(lines).toEqual(
    expect.arrayContaining([
      'elemta_queue_size{queue_type="incoming"} 1',
      'elemta_queue_size{queue_type="active"} 1',
      'elemta_queue_size{queue_type="deferred"} 2',
      'elemta_queue_size{queue_type="held"} 0',
      'elemta_queue_size{queue_type="failed"} 1',
      'elemta_queue_oldest_age_seconds{queue_type="incoming"} 5',
      'elemta_queue_oldest_age_seconds{queue_type="deferred"} 65',
      'elemta_dead_letters_total{stage="delivery"} 1',
      'elemta_ledger_imbalance 0',
    ]),
  )
})
