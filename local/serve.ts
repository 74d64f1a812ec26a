// The embedded home: one process on one machine. Wires the stages to SQLite and disk, starts the scanners that nobody
// runs, and takes everything down in the order in which mail flows. Decisions are made elsewhere.
import { openEmbedded } from '../src/backends.ts'
import { type Check, startOpsServer } from '../src/console/ops-server.ts'
import { createDeliverer } from '../src/deliver/deliverer.ts'
import { createDeliveryHandler } from '../src/deliver/delivery-job.ts'
import { type Ingress, startIngress } from '../src/ingress/server.ts'
import { type Config, enabledPlugin } from '../src/platform/config.ts'
import { configWarnings } from '../src/platform/config-rules.ts'
import type { Log } from '../src/platform/log.ts'
import { createMetrics, type Metrics } from '../src/platform/metrics.ts'
import { createScanHandler } from '../src/scan/scan-job.ts'
import { createGiveUp } from '../src/spool/dead-letter.ts'
import { refreshLedgerGauges, refreshQueueGauges } from '../src/spool/gauges.ts'
import { startSweeper } from '../src/spool/sweep.ts'
import { startWorker } from '../src/spool/worker.ts'
import type { Backends } from '../src/storage/backends.ts'
import type { Role } from './roles.ts'
import { type EmbeddedScanners, startEmbeddedScanners } from './scanners.ts'

export type Gateway = Readonly<{
  smtp: readonly Readonly<{ address: string; port: number }>[]
  ops: Readonly<{ address: string; port: number }>
  /** What an operator must know: shown at the start and in /readyz. */
  warnings: readonly string[]
  /** Finishes what is in work, then stops everything that was started. */
  stop(): Promise<void>
}>

const SWEEP_INTERVAL = 1000
const LEDGER_INTERVAL = 60_000
const SCANNERS_STARTING: Check = { name: 'scanners', state: 'failed', detail: 'being started; mail waits' }
const DRAIN_TIME = 20_000

/** Starts the gateway with the stages of `roles`. Rejects when a port or the data directory cannot be had. */
export async function serve(config: Config, { roles, log }: { roles: readonly Role[]; log: Log }): Promise<Gateway> {
  const now = Date.now
  const settings = configWarnings(config)
  const metrics = createMetrics({ process: true })
  const backends = await openEmbedded({ dataDir: config.data_dir, now, log })
  const undo: (() => Promise<unknown>)[] = [() => backends.close()]
  let ingress: Ingress | undefined
  let scanners: EmbeddedScanners | undefined
  const stop = async () => {
    await ingress?.drain(DRAIN_TIME)
    for (const step of undo.splice(0).reverse()) await step()
  }

  try {
    const parts = { config, backends, log, metrics, now }
    const refreshLedger = () =>
      refreshLedgerGauges(backends, metrics).catch(error => log.warn({ why: String(error) }, 'ledger-failed'))
    await refreshLedger()
    const ledger = setInterval(refreshLedger, LEDGER_INTERVAL)
    undo.push(async () => clearInterval(ledger))
    const sweeper = startSweeper(backends, now, SWEEP_INTERVAL, log)
    undo.push(() => sweeper.stop())
    const ops = await startOpsServer({
      ...config.ops,
      registry: metrics.registry,
      refresh: () => refreshQueueGauges(backends, metrics, now()),
      checks: async () => [
        ...(scanners?.checks() ?? (roles.includes('scan') ? [SCANNERS_STARTING] : [])),
        ...settings.map((detail): Check => ({ name: 'configuration', state: 'warning', detail })),
      ],
    })
    undo.push(() => ops.close())

    // Before the scanners, which may take long to start: what comes in meanwhile is kept and waits for them.
    if (roles.includes('ingress')) ingress = await startIngress(ingressOptions(parts))
    if (roles.includes('scan')) {
      scanners = await startEmbeddedScanners({ config, log, metrics, onBack: () => void sweeper.flushScans() })
      undo.push(scanners.stop)
    }
    if (roles.includes('delivery')) undo.push(startDelivery(parts))
    if (scanners !== undefined) undo.push(startScanning(parts, scanners))
    const warnings = [...settings, ...(scanners?.warnings ?? [])]
    return { smtp: ingress?.addresses ?? [], ops: { address: config.ops.address, port: ops.port }, warnings, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

type Parts = Readonly<{ config: Config; backends: Backends; log: Log; metrics: Metrics; now: () => number }>

function startScanning({ config, backends, log, metrics, now }: Parts, { scanners, policy }: EmbeddedScanners) {
  const retrySchedule = { delays: config.scan.retry_schedule, lifetime: config.delivery.lifetime }
  const logClean = enabledPlugin(config, 'clamav')?.log_clean ?? false
  const { concurrency } = config.scan
  const handle = createScanHandler({
    backends,
    scanners,
    policy,
    retrySchedule,
    concurrency,
    logClean,
    now,
    log,
    metrics,
  })
  const giveUp = createGiveUp(backends.scanJobs, { backends, now, log, metrics })
  const queue = backends.scanJobs
  // Some are being read or written down while the scanners have the others.
  const jobs = 2 * concurrency
  const worker = startWorker({ stage: 'scan', queue, concurrency: jobs, handle, giveUp, log, metrics })
  return () => worker.drain()
}

function startDelivery({ config, backends, log, metrics, now }: Parts) {
  const { concurrency, lifetime, retry_schedule: delays } = config.delivery
  const deliverer = createDeliverer({ routes: config.routes, hostname: config.hostname, now, log })
  const retrySchedule = { delays, lifetime }
  const handle = createDeliveryHandler({
    backends,
    deliverer,
    retrySchedule,
    claimTime: deliverer.longestAttempt,
    now,
    log,
    metrics,
  })
  const giveUp = createGiveUp(backends.deliveryJobs, { backends, now, log, metrics })
  const queue = backends.deliveryJobs
  const worker = startWorker({ stage: 'delivery', queue, concurrency, handle, giveUp, log, metrics })
  return async () => {
    await worker.drain()
    await deliverer.close()
  }
}

function ingressOptions({ config, ...parts }: Parts) {
  const { hostname, listeners, relay, limits, ingress } = config
  return {
    ...parts,
    hostname,
    listeners,
    relay,
    pregreetDelay: ingress.pregreet_delay,
    bareNewline: ingress.bare_newline,
    limits: {
      messageSize: limits.message_size,
      recipients: limits.recipients,
      connections: limits.connections,
      connectionsPerClient: limits.connections_per_client,
      errors: limits.errors,
      timeouts: { command: limits.command_timeout, data: limits.data_timeout },
    },
  }
}
