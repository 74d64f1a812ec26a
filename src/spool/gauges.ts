// Brings the gauges of the queue and of its disk up to date before a scrape: what waits, where, for how long, and how
// much room there is for more.
import { statfs } from 'node:fs/promises'
import type { Metrics } from '../platform/metrics.ts'
import type { Backends } from '../storage/backends.ts'
import { readLedger } from './ledger.ts'

type GaugeBackends = Pick<Backends, 'records' | 'scanJobs' | 'deliveryJobs'>

/** `now` in milliseconds. Cheap enough for every scrape: counts jobs, not messages. */
export async function refreshQueueGauges(
  { records, scanJobs, deliveryJobs }: GaugeBackends,
  metrics: Metrics,
  now: number,
): Promise<void> {
  const [scan, delivery, deferrals] = await Promise.all([
    scanJobs.tally(),
    deliveryJobs.tally(),
    records.tallyDeferrals(),
  ])
  const age = (since: number | undefined) => (since === undefined ? 0 : Math.max(0, (now - since) / 1000))
  metrics.queueSize.set('incoming', scan.incoming.jobs + delivery.incoming.jobs)
  metrics.queueSize.set('active', scan.active.jobs + delivery.active.jobs)
  metrics.queueSize.set('deferred', deferrals.deferrals)
  metrics.queueSize.set('failed', scan.dead.jobs + delivery.dead.jobs)
  metrics.queueOldestAge.set('incoming', Math.max(age(scan.oldestEnqueuedAt), age(delivery.oldestEnqueuedAt)))
  metrics.queueOldestAge.set('deferred', age(deferrals.oldestAcceptedAt))
}

/** Of the file system that `directory` is on. Leaves the gauges as they are when it cannot be asked. */
export async function refreshDiskGauges(
  directory: string,
  metrics: Pick<Metrics, 'diskFree' | 'diskSize'>,
): Promise<void> {
  const room = await statfs(directory).catch(() => undefined)
  if (room === undefined) return
  metrics.diskFree.set(room.bavail * room.bsize)
  metrics.diskSize.set(room.blocks * room.bsize)
}

/** Counts messages, so it is done every minute, not every scrape. */
export async function refreshLedgerGauges(backends: GaugeBackends, metrics: Metrics): Promise<void> {
  const { imbalance, held } = await readLedger(backends)
  metrics.ledgerImbalance.set(imbalance)
  metrics.queueSize.set('held', held)
}
