// The embedded home: one process on one machine. Wires the stages to SQLite and disk, starts the scanners that nobody
// runs, and takes everything down in the order in which mail flows. Decisions are made elsewhere.
import { openEmbedded, openPolicyStore } from '../src/backends.ts'
import { createApi } from '../src/console/api.ts'
import { mintOperatorToken, publishOperatorAccess } from '../src/console/operator-token.ts'
import { type Check, startOpsServer } from '../src/console/ops-server.ts'
import { createDeliverer, type Deliverer } from '../src/deliver/deliverer.ts'
import { createDeliveryHandler } from '../src/deliver/delivery-job.ts'
import { createReporter } from '../src/deliver/report.ts'
import type { BeforeQueueScan } from '../src/ingress/before-queue.ts'
import { createRelayControl } from '../src/ingress/relay-control.ts'
import { type Ingress, startIngress } from '../src/ingress/server.ts'
import { releaseFault } from '../src/mail/release.ts'
import { type Config, enabledPlugin } from '../src/platform/config.ts'
import { configChanges } from '../src/platform/config-diff.ts'
import { configWarnings } from '../src/platform/config-rules.ts'
import type { Log } from '../src/platform/log.ts'
import { createMetrics, type Metrics } from '../src/platform/metrics.ts'
import { createBeforeQueueScan } from '../src/scan/before-queue.ts'
import { createLimit } from '../src/scan/limit.ts'
import { createScanHandler } from '../src/scan/scan-job.ts'
import { createSignatureWatch } from '../src/scan/signature-watch.ts'
import { createGiveUp } from '../src/spool/dead-letter.ts'
import { startQuarantineUpkeep } from '../src/spool/expiry.ts'
import { refreshLedgerGauges, refreshQueueGauges } from '../src/spool/gauges.ts'
import { createOperations, runOperation } from '../src/spool/operations.ts'
import { startPressureGauge } from '../src/spool/pressure.ts'
import { createQuarantineOperations } from '../src/spool/quarantine-operations.ts'
import { readReleaseKey } from '../src/spool/release-key.ts'
import { startSweeper } from '../src/spool/sweep.ts'
import { startWorker } from '../src/spool/worker.ts'
import type { Backends } from '../src/storage/backends.ts'
import type { PolicyStore } from '../src/storage/policy-store.ts'
import { createEdge, type Edge } from './edge.ts'
import { tellChanges } from './reload.ts'
import type { Role } from './roles.ts'
import { type EmbeddedScanners, startEmbeddedScanners } from './scanners.ts'

export type Gateway = Readonly<{
  smtp: readonly Readonly<{ address: string; port: number }>[]
  ops: Readonly<{ address: string; port: number }>
  /** What an operator must know: shown at the start and in /readyz. */
  warnings: readonly string[]
  /**
   * Takes what can be taken of a changed configuration, and says what changed and what needs a restart. When it cannot
   * be loaded or used everything stays as it was, and the log says why. Never rejects.
   */
  reload(load: () => Config): Promise<void>
  /** Finishes what is in work, then stops everything that was started. */
  stop(): Promise<void>
}>

const SWEEP_INTERVAL = 1000
const LEDGER_INTERVAL = 60_000
const SCANNERS_STARTING: Check = { name: 'scanners', state: 'failed', detail: 'being started; mail waits' }
const DRAIN_TIME = 20_000

/** Starts the gateway with the stages of `roles`. Rejects when a port or the data directory cannot be had. */
export async function serve(initial: Config, { roles, log }: { roles: readonly Role[]; log: Log }): Promise<Gateway> {
  let config = initial
  const now = Date.now
  const metrics = createMetrics({ process: true })
  const backends = await openEmbedded({ dataDir: config.data_dir, reserve: config.limits.disk_reserve, now, log })
  const undo: (() => Promise<unknown>)[] = [() => backends.close()]
  let ingress: Ingress | undefined
  let edge: Edge | undefined
  let scanners: EmbeddedScanners | undefined
  let beforeQueue: BeforeQueueScan = async () => ({ outcome: 'queue', why: SCANNERS_STARTING.detail })
  let delivery: Delivery | undefined
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
    const token = mintOperatorToken()
    const operating = { backends, now, log, metrics, alone: sweeper.alone }
    const releaseKey = () => readReleaseKey(config.data_dir)
    const operations = createOperations(operating, createQuarantineOperations(operating, { releaseKey }))
    const upkeep = startQuarantineUpkeep({ ...operating, keep: config.quarantine.keep })
    undo.push(() => upkeep.stop())
    const ops = await startOpsServer({
      ...config.ops,
      registry: metrics.registry,
      refresh: () => refreshQueueGauges(backends, metrics, now()),
      checks: async () => [
        ...(scanners?.checks() ?? (roles.includes('scan') ? [SCANNERS_STARTING] : [])),
        ...(edge?.checks() ?? []),
        ...configWarnings(config).map((detail): Check => ({ name: 'configuration', state: 'warning', detail })),
      ],
      api: createApi({ token, run: (...request) => runOperation(operations, ...request) }),
    })
    undo.push(() => ops.close())
    const unpublish = publishOperatorAccess(config.data_dir, { token, address: config.ops.address, port: ops.port })
    undo.push(async () => unpublish())

    const store = await openPolicyStore({ dataDir: config.data_dir, log })
    undo.push(() => store.close())
    const edgeFor = await openEdges({ ...parts, store, most: () => config.limits.queued_messages, undo })
    // Before the scanners, which may take long to start: what comes in meanwhile is kept and waits for them.
    if (roles.includes('ingress')) {
      edge = await edgeFor(config, (...message) => beforeQueue(...message))
      undo.push(async () => edge?.close())
      ingress = await startIngress({ ...edge.settings, listeners: config.listeners })
    }
    if (roles.includes('scan')) {
      scanners = await startEmbeddedScanners({ config, log, metrics, onBack: () => void sweeper.flushScans() })
      undo.push(scanners.stop)
    }
    if (roles.includes('delivery')) {
      delivery = startDelivery(parts)
      undo.push(delivery.stop)
    }
    if (scanners !== undefined) {
      const scanning = startScanning({ ...parts, store }, scanners)
      beforeQueue = scanning.beforeQueue
      undo.push(scanning.stop)
    }

    async function change(changed: Config): Promise<void> {
      const changes = configChanges(config, changed)
      if (ingress !== undefined) {
        const before = edge
        edge = await edgeFor(changed, (...message) => beforeQueue(...message))
        ingress.reconfigure(edge.settings)
        setTimeout(() => void before?.close(), DRAIN_TIME).unref()
      }
      delivery?.reroute(changed.routes)
      log.level = changed.log.level
      config = changed
      tellChanges(changes, log, n => changed.plugins[n]?.name)
    }

    async function reload(load: () => Config): Promise<void> {
      try {
        await change(load())
        metrics.configReloads.inc('success')
      } catch (error) {
        metrics.configReloads.inc('failure')
        log.error({ why: (error as Error).message }, 'reload-failed')
      }
    }

    const warnings = [
      ...configWarnings(config),
      ...(edge?.checks() ?? []).map(({ detail }) => detail),
      ...(scanners?.warnings ?? []),
    ]
    const opsAddress = { address: config.ops.address, port: ops.port }
    return { smtp: ingress?.addresses ?? [], ops: opsAddress, warnings, reload, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

type Parts = Readonly<{ config: Config; backends: Backends; log: Log; metrics: Metrics; now: () => number }>

/** What all edges of this process share, and how to make one. */
async function openEdges({
  most,
  undo,
  ...parts
}: Parts & Readonly<{ store: PolicyStore; most: () => number; undo: (() => Promise<unknown>)[] }>) {
  const { backends, log, metrics } = parts
  const pressure = await startPressureGauge({ backends, most, metrics, log })
  undo.push(async () => pressure.stop())
  return (config: Config, beforeQueue: BeforeQueueScan) => createEdge({ ...parts, config, pressure, beforeQueue })
}

function startScanning(
  { config, backends, store, log, metrics, now }: Parts & Readonly<{ store: PolicyStore }>,
  { scanners, policy }: EmbeddedScanners,
) {
  const retrySchedule = { delays: config.scan.retry_schedule, lifetime: config.delivery.lifetime }
  const logClean = enabledPlugin(config, 'clamav')?.log_clean ?? false
  const { concurrency, wait } = config.scan
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
  const handle = createScanHandler({
    ...common,
    retrySchedule,
    releaseFault: (job, at) => releaseFault(readReleaseKey(config.data_dir), job, at),
  })
  const giveUp = createGiveUp(backends.scanJobs, { backends, now, log, metrics })
  const queue = backends.scanJobs
  // Some are being read or written down while the scanners have the others.
  const jobs = 2 * concurrency
  const worker = startWorker({ stage: 'scan', queue, concurrency: jobs, handle, giveUp, log, metrics })
  return {
    beforeQueue: createBeforeQueueScan({ ...common, wait }),
    async stop() {
      await worker.drain()
      signatures.stop()
    },
  }
}

type Delivery = Pick<Deliverer, 'reroute'> & Readonly<{ stop(): Promise<void> }>

function startDelivery({ config, backends, log, metrics, now }: Parts): Delivery {
  const { concurrency, lifetime, retry_schedule: delays, delay_warning: delayWarning, dsn } = config.delivery
  const deliverer = createDeliverer({ routes: config.routes, hostname: config.hostname, now, log })
  const retrySchedule = { delays, lifetime }
  const { postmaster } = createRelayControl(config.relay, config.hostname)
  const reporter = createReporter({
    backends,
    hostname: config.hostname,
    enabled: dsn.enabled,
    perSender: dsn.per_sender,
    doubleBounceTo: dsn.double_bounce === 'postmaster' ? postmaster : undefined,
    delayWarning,
    lifetime,
    log,
    metrics,
  })
  const handle = createDeliveryHandler({
    backends,
    deliverer,
    reporter,
    retrySchedule,
    claimTime: deliverer.longestAttempt,
    now,
    log,
    metrics,
  })
  const giveUp = createGiveUp(backends.deliveryJobs, { backends, now, log, metrics })
  const queue = backends.deliveryJobs
  const worker = startWorker({ stage: 'delivery', queue, concurrency, handle, giveUp, log, metrics })
  return {
    reroute: deliverer.reroute,
    async stop() {
      await worker.drain()
      await deliverer.close()
    },
  }
}
