// A release from quarantine is told as done only by the next hop's 250: its event stands beside the outcome, in the
// same write, and in no other. Pure.
import type { DeliveryJob } from '../mail/job.ts'
import type { TraceEvent } from '../mail/record.ts'
import type { Settled } from './dsn.ts'

/** None for a job that is no release, or where nobody was delivered to. `at` in milliseconds since 1970. */
export function releasedEvents({ release }: DeliveryJob, settled: readonly Settled[], at: number): TraceEvent[] {
  if (release === undefined) return []
  const recipients = settled.filter(({ state }) => state === 'delivered').map(({ outcome }) => outcome.recipient)
  return recipients.length === 0 ? [] : [{ at, event: 'released', recipients, by: release.by }]
}
