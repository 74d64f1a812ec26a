// A gateway as one process, with all stages or some. Wires them to the home that the configuration names, starts the
// scanners that nobody runs, and takes everything down in the order in which mail flows. Decisions are made elsewhere.
// Where several processes share a home, one of them looks after it (the role upkeep), or functions do (functions/): they
// sweep, clear away and count, and every process that did so too would only cost and be counted twice.
import { createApi } from '../src/console/api.ts'
import { mintOperatorToken, publishOperatorAccess } from '../src/console/operator-token.ts'
import { type Check, startOpsServer } from '../src/console/ops-server.ts'
import type { BeforeQueueScan } from '../src/ingress/before-queue.ts'
import { type Ingress, startIngress } from '../src/ingress/server.ts'
import { costIn } from '../src/platform/billed-requests.ts'
import type { Config } from '../src/platform/config.ts'
import { configChanges } from '../src/platform/config-diff.ts'
import { configWarnings } from '../src/platform/config-rules.ts'
import type { Log } from '../src/platform/log.ts'
import { createMetrics } from '../src/platform/metrics.ts'
import { scrapeClamd } from '../src/scan/clamd-exporter.ts'
import { startUpkeep } from '../src/spool/expiry.ts'
import { refreshDiskGauges, refreshLedgerGauges, refreshQueueGauges } from '../src/spool/gauges.ts'
import { beginWork } from '../src/spool/occupancy.ts'
import { createOperations, runOperation } from '../src/spool/operations.ts'
import { startPressureGauge } from '../src/spool/pressure.ts'
import { createQuarantineOperations } from '../src/spool/quarantine-operations.ts'
import { readReleaseKey } from '../src/spool/release-key.ts'
import { startSweeper } from '../src/spool/sweep.ts'
import { programVersion } from './build-info.ts'
import { type RunningCanary, startCanaryFor } from './canary/start.ts'
import { createEdge, type Edge } from './edge.ts'
import { openHome } from './home.ts'
import { gatewayTargets, siteFolder, writeTargets } from './monitoring/targets.ts'
import { takenAtOnce, tellChanges } from './reload.ts'
import type { Role } from './roles.ts'
import { type EmbeddedScanners, startEmbeddedScanners } from './scanners.ts'
import type { Parts } from './stage-parts.ts'
import { type Delivery, startDelivery, startScanning } from './stages.ts'

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

/** A look costs nothing on our own disk, and money elsewhere. */
const SWEEP_INTERVAL = { embedded: 1000, aws: 15_000 } as const
export const PRESSURE_INTERVAL = { embedded: 3000, aws: 60_000 } as const
const LEDGER_INTERVAL = 60_000
const SCANNERS_STARTING: Check = { name: 'scanners', state: 'failed', detail: 'being started; mail waits' }
/**
 * Milliseconds that sessions have to end at a stop, and that jobs in work have from its beginning: on our own machine as
 * long as they take; a task of ECS is killed after 120 seconds, and the last receive of a queue takes 20 of them.
 */
const DRAIN_TIME = { embedded: 20_000, aws: 75_000 } as const
const JOB_TIME = { embedded: undefined, aws: 85_000 } as const

/** Starts the gateway with the stages of `roles`. Rejects when a port or the data directory cannot be had. */
export async function serve(initial: Config, { roles, log }: { roles: readonly Role[]; log: Log }): Promise<Gateway> {
  let config = initial
  const now = Date.now
  const metrics = createMetrics({ process: true })
  const home = await openHome(config, { roles, now, log, count: costIn(metrics.costUsd) })
  metrics.buildInfo.set({ version: programVersion(), home: home.name }, 1)
  const { backends } = home
  const undo: (() => Promise<unknown>)[] = [() => backends.close()]
  let ingress: Ingress | undefined
  let edge: Edge | undefined
  /** Each is there until it is closed, when the last session that asks it has ended. */
  const replaced = new Set<Promise<void>>()
  let scanners: EmbeddedScanners | undefined
  let beforeQueue: BeforeQueueScan = async () => ({ outcome: 'queue', why: SCANNERS_STARTING.detail })
  let delivery: Delivery | undefined
  let canary: RunningCanary | undefined
  let reloading = Promise.resolve()
  let stopping = false
  const caresForAll = home.name === 'embedded' || roles.includes('upkeep')
  let jobsEndAt: number | undefined
  const patience = () => jobsEndAt && Math.max(0, jobsEndAt - performance.now())
  const stop = async () => {
    stopping = true
    const jobTime = JOB_TIME[home.name]
    jobsEndAt = jobTime && performance.now() + jobTime
    await Promise.all([ingress?.drain(DRAIN_TIME[home.name]), reloading])
    for (const step of undo.splice(0).reverse()) await step()
  }

  try {
    const store = await home.openPolicyStore()
    undo.push(() => store.close())
    if (home.name === 'aws') undo.push((await beginWork({ store, now, log }, roles.join('+'))).stop)
    const parts: Parts = { config, backends, store, log, metrics, now }
    const refreshLedger = () =>
      refreshLedgerGauges(backends, metrics).catch(error => log.warn({ why: String(error) }, 'ledger-failed'))
    if (caresForAll) {
      await refreshLedger()
      const ledger = setInterval(refreshLedger, LEDGER_INTERVAL)
      undo.push(async () => clearInterval(ledger))
      if (home.startLeftBehind !== undefined) undo.push(home.startLeftBehind().stop)
    }
    const sweeper = startSweeper(backends, now, caresForAll ? SWEEP_INTERVAL[home.name] : undefined, log)
    undo.push(() => sweeper.stop())
    const token = mintOperatorToken()
    const operating = { backends, now, log, metrics, alone: sweeper.alone, resume: () => delivery?.resume() }
    const releaseKey = () => readReleaseKey(config.data_dir)
    const operations = createOperations(operating, createQuarantineOperations(operating, { releaseKey }))
    const keep = () => ({ quarantine: config.quarantine.keep, records: config.trace.keep })
    const upkeep = caresForAll ? startUpkeep({ ...operating, keep }) : undefined
    undo.push(async () => upkeep?.stop())
    const ops = await startOpsServer({
      ...config.ops,
      registry: metrics.registry,
      refresh: async () => {
        await Promise.all([
          caresForAll && refreshQueueGauges(backends, metrics, now()),
          refreshDiskGauges(config.data_dir, metrics),
        ])
      },
      clamd: () => scanners?.clamd && scrapeClamd(scanners.clamd),
      checks: async () => [
        ...(scanners?.checks() ?? (roles.includes('scan') ? [SCANNERS_STARTING] : [])),
        ...(ingress === undefined ? [] : (edge?.checks() ?? [])),
        ...(canary?.checks() ?? []),
        ...configWarnings(config).map((detail): Check => ({ name: 'configuration', state: 'warning', detail })),
      ],
      api: createApi({ token, run: (...request) => runOperation(operations, ...request) }),
    })
    undo.push(() => ops.close())
    const unpublish = publishOperatorAccess(config.data_dir, { token, address: config.ops.address, port: ops.port })
    undo.push(async () => unpublish())
    const tellPrometheus = () => {
      try {
        writeTargets(
          gatewayTargets(config, { address: config.ops.address, port: ops.port }),
          siteFolder(config.data_dir),
        )
      } catch (error) {
        log.warn({ why: String(error) }, 'targets-failed')
      }
    }
    tellPrometheus()

    const edgeFor = await openEdges({
      ...parts,
      most: () => config.limits.queued_messages,
      interval: PRESSURE_INTERVAL[home.name],
      undo,
    })
    // Before the scanners, which may take long to start: what comes in meanwhile is kept and waits for them.
    if (roles.includes('ingress')) {
      edge = await edgeFor(config, (...message) => beforeQueue(...message))
      undo.push(async () => {
        await Promise.all([...replaced, edge?.close()])
      })
      ingress = await startIngress({ ...edge.settings, listeners: config.listeners })
    }
    if (roles.includes('scan')) {
      const onBack = () => {
        void sweeper.flushScans()
        tellPrometheus() // an own rspamd has its controller where it got one
      }
      scanners = await startEmbeddedScanners({ config, log, metrics, onBack })
      undo.push(scanners.stop)
    }
    if (roles.includes('delivery')) {
      const started = startDelivery(parts)
      delivery = started
      undo.push(() => started.stop(patience()))
    }
    if (scanners !== undefined) {
      const scanning = startScanning(parts, scanners, () => config.scan.wait)
      beforeQueue = scanning.beforeQueue
      undo.push(() => scanning.stop(patience()))
    }
    // Its mail goes through this process, or begins here and goes through those that share the home.
    const isComplete = home.name === 'aws' || (edge !== undefined && scanners !== undefined && delivery !== undefined)
    if (config.canary.enabled && caresForAll && isComplete) {
      const own = edge ?? (await edgeFor(config, (...message) => beforeQueue(...message)))
      if (edge === undefined) undo.push(() => own.close())
      canary = await startCanaryFor({ config, ingress: own.settings, operating })
      undo.push(canary.stop)
    }

    async function change(wanted: Config): Promise<void> {
      const changed = takenAtOnce(initial, wanted)
      const [taken, waiting] = [configChanges(config, changed), configChanges(changed, wanted)]
      if (ingress !== undefined) await replaceEdge(ingress, changed)
      delivery?.reroute(changed.routes)
      config = changed
      // Told before it is silenced, or after it can be heard; the logs of plugins follow this one.
      if (!log.isLevelEnabled('info')) log.level = changed.log.level
      tellChanges(taken, waiting, log)
      log.level = changed.log.level
    }

    async function replaceEdge(ingress: Ingress, changed: Config): Promise<void> {
      const [before, next] = [edge, await edgeFor(changed, (...message) => beforeQueue(...message))]
      const ended = ingress.reconfigure(next.settings)
      canary?.reconfigure(next.settings)
      edge = next
      before?.replaced()
      const closed = ended
        .then(() => before?.close())
        .catch(error => log.warn({ why: String(error) }, 'close-failed'))
        .finally(() => replaced.delete(closed))
      replaced.add(closed)
    }

    async function reloadNow(load: () => Config): Promise<void> {
      if (stopping) return
      try {
        await change(load())
        metrics.configReloads.inc('success')
      } catch (error) {
        metrics.configReloads.inc('failure')
        log.error({ why: (error as Error).message }, 'reload-failed')
      }
    }

    /** One after the other, so that the file as it was read last is what holds. */
    function reload(load: () => Config): Promise<void> {
      reloading = reloading.then(() => reloadNow(load))
      return reloading
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

/** What all edges of this process share, and how to make one. */
async function openEdges({
  most,
  interval,
  undo,
  ...parts
}: Parts & Readonly<{ most: () => number; interval: number; undo: (() => Promise<unknown>)[] }>) {
  const { backends, log, metrics } = parts
  const pressure = await startPressureGauge({ backends, most, metrics, log, interval })
  undo.push(async () => pressure.stop())
  return (config: Config, beforeQueue: BeforeQueueScan) => createEdge({ ...parts, config, pressure, beforeQueue })
}
