// The stages behind the ingress as a process runs them: workers on their queues, made from the configuration.
import { releaseFault } from '../src/mail/release.ts'
import { enabledPlugin } from '../src/platform/config.ts'
import { createLimit } from '../src/platform/limit.ts'
import { silentLog } from '../src/platform/log.ts'
import { createBeforeQueueScan } from '../src/scan/before-queue.ts'
import { createScanHandler } from '../src/scan/scan-job.ts'
import { createSignatureWatch } from '../src/scan/signature-watch.ts'
import { createGiveUp } from '../src/spool/dead-letter.ts'
import { readReleaseKey } from '../src/spool/release-key.ts'
import { startWorker } from '../src/spool/worker.ts'
import { canaryParts, scanWithCanaries, withCanaries } from './canary/parts.ts'
import { createDeliveryStage, type DeliveryStage } from './delivery-stage.ts'
import type { EmbeddedScanners } from './scanners.ts'
import type { Parts } from './stage-parts.ts'

/** Some are being read or written down while the scanners have the others. */
export const JOBS_PER_SCAN = 2

/** `wait` says how long a client may be kept for the scanners, in milliseconds. */
export function startScanning(
  { config, backends, store, log, metrics, now }: Parts,
  { scanners, policy }: EmbeddedScanners,
  wait: () => number,
) {
  const retrySchedule = { delays: config.scan.retry_schedule, lifetime: config.delivery.lifetime }
  const logClean = enabledPlugin(config, 'clamav')?.log_clean ?? false
  const { concurrency } = config.scan
  const signatures = createSignatureWatch({ store, now, log, metrics })
  const common = {
    backends,
    scanners,
    policy,
    limit: createLimit(concurrency),
    signatures,
    logClean,
    now,
    log,
    metrics,
  }
  // What canaries hit is no storm; what an operator ignores, they pass as all mail does.
  const apart = canaryParts({ log, metrics })
  const canarySignatures = createSignatureWatch({ store, now, ...apart, log: silentLog })
  const forCanaries = { ...common, ...apart, signatures: canarySignatures }
  const mailHandler = createScanHandler({
    ...common,
    retrySchedule,
    releaseFault: (job, at) => releaseFault(readReleaseKey(config.data_dir), job, at),
  })
  const handle = withCanaries(mailHandler, createScanHandler({ ...forCanaries, retrySchedule }))
  const giveUp = createGiveUp(backends.scanJobs, { backends, now, log, metrics })
  const queue = backends.scanJobs
  const jobs = JOBS_PER_SCAN * concurrency
  const worker = startWorker({ stage: 'scan', queue, concurrency: jobs, handle, giveUp, log, metrics })
  return {
    beforeQueue: scanWithCanaries(
      createBeforeQueueScan({ ...common, wait }),
      createBeforeQueueScan({ ...forCanaries, wait }),
    ),
    async stop(patience?: number) {
      await worker.drain(patience)
      signatures.stop()
      canarySignatures.stop()
    },
  }
}

export type Delivery = Pick<DeliveryStage, 'reroute' | 'resume'> &
  Readonly<{
    /** Jobs that are not done after so many milliseconds (never, unless given) are given back. */
    stop(patience?: number): Promise<void>
  }>

export function startDelivery(parts: Parts): Delivery {
  const { config, backends } = parts
  const { reroute, resume, close, ...job } = createDeliveryStage(parts)
  const worker = startWorker({ ...job, queue: backends.deliveryJobs, concurrency: config.delivery.concurrency })
  return {
    reroute,
    resume,
    async stop(patience) {
      await worker.drain(patience)
      await close()
    },
  }
}
