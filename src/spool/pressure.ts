// Back-pressure: whether the spool can take more mail. Looked up every few seconds, asked at every MAIL, so that a
// client hears 451 before it has sent its message. What cannot be found out is no reason to refuse mail.
import type { Log } from '../platform/log.ts'
import type { Metrics } from '../platform/metrics.ts'
import type { Backends } from '../storage/backends.ts'

export type PressureGauge = Readonly<{
  /** Why no mail can be taken now; undefined when it can. */
  reason(): 'queue' | 'disk' | undefined
  stop(): void
}>

type Options = Readonly<{
  backends: Pick<Backends, 'messages' | 'records' | 'scanJobs' | 'deliveryJobs'>
  /** Messages that may wait in all queues together. */
  most: () => number
  metrics: Pick<Metrics, 'backPressure'>
  log: Log
  /** Milliseconds between two looks. */
  interval?: number
}>

/** Resolves after the first look. */
export async function startPressureGauge({
  backends,
  most,
  metrics,
  log,
  interval = 3000,
}: Options): Promise<PressureGauge> {
  let reason: 'queue' | 'disk' | undefined

  async function look(): Promise<void> {
    const { messages, records, scanJobs, deliveryJobs } = backends
    const [room, scan, delivery, { deferrals }] = await Promise.all([
      messages.hasRoom(),
      scanJobs.tally(),
      deliveryJobs.tally(),
      records.tallyDeferrals(),
    ])
    const waiting = [scan.incoming, scan.active, delivery.incoming, delivery.active]
    const queued = deferrals + waiting.reduce((sum, { jobs }) => sum + jobs, 0)
    tell(room ? (queued > most() ? 'queue' : undefined) : 'disk', queued)
  }

  function tell(now: typeof reason, queued: number): void {
    if (now !== reason) log.warn({ reason: now ?? 'none', queued }, 'back-pressure')
    reason = now
    metrics.backPressure.set('queue', reason === 'queue' ? 1 : 0)
    metrics.backPressure.set('disk', reason === 'disk' ? 1 : 0)
  }

  const lookAgain = () => look().catch(error => log.warn({ why: String(error) }, 'pressure-unknown'))
  await lookAgain()
  const timer = setInterval(lookAgain, interval)
  timer.unref()
  return { reason: () => reason, stop: () => clearInterval(timer) }
}
