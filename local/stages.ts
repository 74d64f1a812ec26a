// The stages behind the ingress as the embedded home runs them: workers on their queues, made from the configuration.
import { createDeliverer, type Deliverer } from '../src/deliver/deliverer.ts'
import { createDeliveryHandler } from '../src/deliver/delivery-job.ts'
import { createReporter } from '../src/deliver/report.ts'
import { createSink } from '../src/deliver/sink.ts'
import { createRelayControl } from '../src/ingress/relay-control.ts'
import { releaseFault } from '../src/mail/release.ts'
import { createClockWatch } from '../src/platform/clock-watch.ts'
import { type Config, enabledPlugin } from '../src/platform/config.ts'
import { createDns } from '../src/platform/dns.ts'
import { createLimit } from '../src/platform/limit.ts'
import { type Log, silentLog } from '../src/platform/log.ts'
import type { Metrics } from '../src/platform/metrics.ts'
import { createBeforeQueueScan } from '../src/scan/before-queue.ts'
import { createScanHandler } from '../src/scan/scan-job.ts'
import { createSignatureWatch } from '../src/scan/signature-watch.ts'
import { createGiveUp } from '../src/spool/dead-letter.ts'
import { readReleaseKey } from '../src/spool/release-key.ts'
import { startWorker } from '../src/spool/worker.ts'
import type { Backends } from '../src/storage/backends.ts'
import type { PolicyStore } from '../src/storage/policy-store.ts'
import { canaryParts, scanWithCanaries, withCanaries } from './canary/parts.ts'
import type { EmbeddedScanners } from './scanners.ts'

/** What every stage has. */
export type Parts = Readonly<{
  config: Config
  backends: Backends
  store: PolicyStore
  log: Log
  metrics: Metrics
  now: () => number
}>

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
  // Some are being read or written down while the scanners have the others.
  const jobs = 2 * concurrency
  const worker = startWorker({ stage: 'scan', queue, concurrency: jobs, handle, giveUp, log, metrics })
  return {
    beforeQueue: scanWithCanaries(
      createBeforeQueueScan({ ...common, wait }),
      createBeforeQueueScan({ ...forCanaries, wait }),
    ),
    async stop() {
      await worker.drain()
      signatures.stop()
      canarySignatures.stop()
    },
  }
}

export type Delivery = Pick<Deliverer, 'reroute' | 'resume'> & Readonly<{ stop(): Promise<void> }>

export function startDelivery({ config, backends, store, log, metrics, now }: Parts): Delivery {
  const { concurrency, lifetime, retry_schedule: delays, delay_warning: delayWarning, dsn } = config.delivery
  const { routes, hostname } = config
  const dns = createDns(config.dns)
  const deliverer = createDeliverer({ routes, hostname, dns, store, concurrency, now, log, metrics })
  const retrySchedule = { delays, lifetime }
  const { postmaster } = createRelayControl(config.relay, hostname)
  const reports = {
    backends,
    hostname,
    enabled: dsn.enabled,
    perSender: dsn.per_sender,
    doubleBounceTo: dsn.double_bounce === 'postmaster' ? postmaster : undefined,
    delayWarning,
    lifetime,
    log,
    metrics,
  }
  const clock = createClockWatch({ now, log })
  const common = { backends, retrySchedule, clock, claimTime: deliverer.longestAttempt, now, log, metrics }
  const mailHandler = createDeliveryHandler({ ...common, deliverer, reporter: createReporter(reports) })
  const apart = canaryParts({ log, metrics })
  const canaryHandler = createDeliveryHandler({
    ...common,
    ...apart,
    deliverer: createSink({ hostname }),
    reporter: createReporter({ ...reports, ...apart, enabled: false }),
  })
  const handle = withCanaries(mailHandler, canaryHandler)
  const giveUp = createGiveUp(backends.deliveryJobs, { backends, now, log, metrics })
  const queue = backends.deliveryJobs
  const worker = startWorker({ stage: 'delivery', queue, concurrency, handle, giveUp, log, metrics })
  return {
    reroute: deliverer.reroute,
    resume: deliverer.resume,
    async stop() {
      await worker.drain()
      await deliverer.close()
    },
  }
}
