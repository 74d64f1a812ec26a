// Conservation: every accepted recipient has exactly one end state or is in a queue.
// The two sides are counted from different rows: what was accepted, from the messages as they came in; what is queued,
// from the jobs and deferrals that really exist, so a recipient that is in no queue any more shows as a gap.
import type { Backends } from '../storage/backends.ts'
import type { QueueTally } from '../storage/job-queue.ts'
import type { DeferralTally, RecordTally } from '../storage/record-store.ts'

/** All numbers are recipients. */
export type Ledger = Readonly<{
  accepted: number
  delivered: number
  failed: number
  quarantined: number
  discarded: number
  deleted: number
  held: number
  queued: Readonly<{ incoming: number; active: number; deferred: number; deadLetters: number }>
  /** accepted − everything above; 0 or mail is unaccounted for (more than 0) or counted twice (less). */
  imbalance: number
}>

export function ledgerOf(records: RecordTally, deferrals: DeferralTally, queues: readonly QueueTally[]): Ledger {
  const sum = (of: (queue: QueueTally) => number) => queues.reduce((total, queue) => total + of(queue), 0)
  const queued = {
    incoming: sum(queue => queue.incoming.recipients),
    active: sum(queue => queue.active.recipients),
    deferred: deferrals.recipients,
    deadLetters: sum(queue => queue.dead.recipients),
  }
  const { delivered, failed, quarantined, discarded, deleted, held } = records.states
  const ended = delivered + failed + quarantined + discarded + deleted + held
  const waiting = queued.incoming + queued.active + queued.deferred + queued.deadLetters
  const imbalance = records.accepted - ended - waiting
  return { accepted: records.accepted, delivered, failed, quarantined, discarded, deleted, held, queued, imbalance }
}

type LedgerBackends = Readonly<{
  records: Pick<Backends['records'], 'tally' | 'tallyDeferrals'>
  scanJobs: Pick<Backends['scanJobs'], 'tally'>
  deliveryJobs: Pick<Backends['deliveryJobs'], 'tally'>
}>

/** The ledger now. The tallies are not one snapshot, so a gap is looked at again before it is believed. */
export async function readLedger({ records, scanJobs, deliveryJobs }: LedgerBackends): Promise<Ledger> {
  for (let look = 1; ; look++) {
    const [recordTally, deferralTally, ...queues] = await Promise.all([
      records.tally(),
      records.tallyDeferrals(),
      scanJobs.tally(),
      deliveryJobs.tally(),
    ])
    const ledger = ledgerOf(recordTally, deferralTally, queues)
    if (ledger.imbalance === 0 || look === 5) return ledger
    await new Promise(resolve => setTimeout(resolve, 50 * look))
  }
}

/** The ledger as a table for people, with its verdict in the last line. */
export function formatLedger({ accepted, queued, imbalance, ...ended }: Ledger): string {
  const row = (name: string, count: number) => `${name.padEnd(24)}${String(count).padStart(10)}\n`
  const verdict =
    imbalance === 0
      ? 'balanced: every accepted recipient has an end state or is in a queue\n'
      : `NOT balanced: ${Math.abs(imbalance)} recipients are ${imbalance > 0 ? 'unaccounted for' : 'counted twice'}\n`
  return [
    row('accepted (recipients)', accepted),
    ...Object.entries(ended).map(([name, count]) => row(`  ${name}`, count)),
    ...Object.entries(queued).map(([name, count]) => row(`  queued: ${name}`, count)),
    verdict,
  ].join('')
}
