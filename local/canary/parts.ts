// How canaries are kept apart from mail in every stage: the same code, counted on a catalogue of their own, and told of
// in the log only when something fails, so that a quiet gateway's log stays quiet.
import type { BeforeQueueScan } from '../../src/ingress/before-queue.ts'
import { isCanary } from '../../src/mail/canary.ts'
import type { Job } from '../../src/mail/job.ts'
import { canaryMetrics } from '../../src/platform/canary-metrics.ts'
import type { Log } from '../../src/platform/log.ts'
import type { Metrics } from '../../src/platform/metrics.ts'
import type { Lease } from '../../src/storage/job-queue.ts'

type Handler<J extends Job> = (lease: Lease<J>, signal: AbortSignal) => Promise<void>

/** The same parts, for canaries. `debug` tells of them as of all mail. */
export function canaryParts<P extends Readonly<{ log: Log; metrics: Metrics }>>(parts: P): P {
  const { log, metrics } = parts
  const quiet = log.isLevelEnabled('warn') && !log.isLevelEnabled('debug')
  return { ...parts, metrics: canaryMetrics(metrics), log: quiet ? log.child({}, { level: 'warn' }) : log }
}

/** A handler that gives canaries to the second of two. */
export function withCanaries<J extends Job>(mail: Handler<J>, canaries: Handler<J>): Handler<J> {
  return (lease, signal) => (isCanary(lease.job.recipients) ? canaries : mail)(lease, signal)
}

/** The same for the scan while a client waits. */
export function scanWithCanaries(mail: BeforeQueueScan, canaries: BeforeQueueScan): BeforeQueueScan {
  return (message, content) => {
    const recipients = message.envelope.recipients.map(({ address }) => address)
    return (isCanary(recipients) ? canaries : mail)(message, content)
  }
}
