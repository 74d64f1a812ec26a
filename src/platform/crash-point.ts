// Named places between two steps where the crash tests kill the process, as a power cut would.
// Without ELEMTA_CRASH_AT this is one comparison.
import { environment } from './environment.ts'

export type CrashPoint =
  | 'after-store' // ingress: content sealed, nothing committed
  | 'after-enqueue' // ingress: durable, the 250 not yet said
  | 'after-reply' // ingress: 250 said
  | 'before-scan' // scan job leased
  | 'after-scan' // findings known, nothing written
  | 'after-verdict' // verdict durable
  | 'before-delivery' // delivery job leased and claimed
  | 'after-dot-mark' // on record that the dot goes out, it did not yet
  | 'after-dot' // the next hop has the dot (a maildir: the file), its answer is not here yet
  | 'before-ledger' // next hop said 250, not yet recorded
  | 'after-outcome' // outcome recorded, the job not yet done

const crashAt = environment.ELEMTA_CRASH_AT

/** Kills this process at once, without any clean-up, when `ELEMTA_CRASH_AT` names this point. */
export function crashPoint(point: CrashPoint): void {
  if (crashAt === point) process.kill(process.pid, 'SIGKILL')
}
