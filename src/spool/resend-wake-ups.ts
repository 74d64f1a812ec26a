// Wakes jobs that nobody was told of, in a home whose queues carry wake-ups and may lose them, or were away when a job
// came. Too many do no harm. Every minute is often enough: SQS itself loses next to none.
import type { Log } from '../platform/log.ts'

type Resending = Readonly<{
  resend(options: Readonly<{ grace: number; patience: number; max: number }>): Promise<number>
}>

/** Milliseconds that a job may wait before its wake-up counts as lost: when wake-ups are fewer than jobs, and when not. */
const GRACE = 2 * 60_000
const PATIENCE = 60 * 60_000
/** In one pass. */
const MOST = 1000

/** One pass over both queues, once the account of messages some minutes old is settled. Returns how many jobs were woken. */
export async function resendWakeUps(
  {
    scanJobs,
    deliveryJobs,
    settle,
  }: Readonly<{ scanJobs: Resending; deliveryJobs: Resending; settle(): Promise<void> }>,
  log: Log,
): Promise<number> {
  await settle()
  const options = { grace: GRACE, patience: PATIENCE, max: MOST }
  const [scan, delivery] = await Promise.all([scanJobs.resend(options), deliveryJobs.resend(options)])
  if (scan + delivery > 0) log.warn({ scan, delivery }, 'wake-ups-resent')
  return scan + delivery
}
