// The scanners of the embedded home: those that run already are used, the others are started as children. A watch
// pings them, keeps their gauges, and says when one has come back, so that waiting mail is scanned at once.
import type { Check } from '../src/console/ops-server.ts'
import { type Config, enabledPlugin } from '../src/platform/config.ts'
import type { Log } from '../src/platform/log.ts'
import type { Metrics } from '../src/platform/metrics.ts'
import { createClamav } from '../src/scan/clamav.ts'
import type { ClamavVersion } from '../src/scan/clamd-reply.ts'
import { createRspamd } from '../src/scan/rspamd.ts'
import type { Scanner, ScannerHealth } from '../src/scan/scanner.ts'
import type { ScanPolicy } from '../src/scan/verdict.ts'
import { startDaemons } from './embedded/daemons.ts'
import {
  checkDatabase,
  checkLists,
  checkThresholds,
  checkUpdates,
  type Refusals,
  refusalsIn,
  type Scored,
} from './scanner-checks.ts'

/** Milliseconds between two looks at the scanners. */
const WATCH_INTERVAL = 2000
/** At the first one after a scanner's return, a message may still be on its way to where it waits. */
const FLUSHES = 2

export type EmbeddedScanners = Readonly<{
  scanners: readonly Scanner[]
  policy: ScanPolicy
  /** Where clamd is, when mail is scanned by it. */
  clamd: Readonly<{ host: string; port: number }> | undefined
  /** What an operator must know at the start: missing packages, test signatures. */
  warnings: readonly string[]
  /** For /readyz. */
  checks(): readonly Check[]
  stop(): Promise<void>
}>

export type EmbeddedScannersOptions = Readonly<{
  config: Config
  log: Log
  metrics: Metrics
  /** Called when a scanner answers that did not answer before. */
  onBack: () => void
}>

const TEST_SIGNATURES =
  'ClamAV has no signature database: only the EICAR test file is found, until freshclam has fetched one'

/** Starts or finds the configured scanners. Never rejects for want of one: mail waits, and the warnings say why. */
export async function startEmbeddedScanners(options: EmbeddedScannersOptions): Promise<EmbeddedScanners> {
  const { config, log, metrics, onBack } = options
  const clamavConfig = enabledPlugin(config, 'clamav')
  const rspamdConfig = enabledPlugin(config, 'rspamd')
  const daemons = await startDaemons({
    dataDir: config.data_dir,
    messageSize: config.limits.message_size,
    scanners: {
      ...(clamavConfig === undefined ? {} : { clamav: clamavConfig }),
      ...(rspamdConfig === undefined ? {} : { rspamd: rspamdConfig }),
    },
    log,
  })

  const clamav =
    clamavConfig && createClamav({ ...clamavConfig, ...daemons.clamav, streamMax: clamavConfig.stream_max, metrics })
  const rspamd =
    rspamdConfig &&
    createRspamd({
      ...rspamdConfig,
      ...daemons.rspamd,
      hostname: config.hostname,
      maxSize: rspamdConfig.max_size,
      metrics,
    })
  const found: Scanner[] = [clamav, rspamd].filter(scanner => scanner !== undefined)
  metrics.scannersConfigured.set(found.length)
  for (const { name } of found) metrics.scannerConfigured.set(name, 1)

  const health = new Map<string, ScannerHealth>()
  const flushesOwed = new Map<string, number>()
  function note({ name }: Scanner, now: ScannerHealth): void {
    const before = health.get(name)
    health.set(name, now)
    metrics.scannerUp.set(name, now.ok ? 1 : 0)
    if (!now.ok) flushesOwed.set(name, FLUSHES)
    if (before !== undefined && now.ok !== before.ok) {
      const about = { scanner: name, detail: now.detail }
      log[now.ok ? 'info' : 'error'](about, now.ok ? 'scanner-up' : 'scanner-down')
    }
  }
  let version: ClamavVersion | undefined
  let requiredScore: number | undefined
  let refusals: Refusals | undefined
  const told = new Set<string>()
  /** What rspamd's answers show of its configuration and its DNS. */
  function noteScore(finding: Scored): void {
    requiredScore = finding.requiredScore
    refusals = refusalsIn(finding.symbols, Date.now()) ?? refusals
    for (const { name, detail } of rspamdChecks()) {
      if (!told.has(name)) log.warn({ detail }, name)
      told.add(name)
    }
  }
  const rspamdChecks = (): Check[] => {
    const foreign = daemons.rspamd?.managed === false
    const thresholds = foreign ? checkThresholds(rspamdConfig?.reject_score, requiredScore) : undefined
    return [thresholds, checkLists(refusals, Date.now())].filter(check => check !== undefined)
  }

  const scanners = found.map(scanner => {
    const onGone = (detail: string) => note(scanner, { ok: false, detail })
    return noticing(scanner, { onGone, onScore: noteScore })
  })

  async function look(): Promise<void> {
    await Promise.all(
      found.map(async scanner => {
        const now = await scanner.ping()
        note(scanner, now)
        // What an earlier run left waiting is not kept waiting either.
        const owed = flushesOwed.get(scanner.name) ?? FLUSHES
        if (!now.ok || owed === 0) return
        flushesOwed.set(scanner.name, owed - 1)
        onBack()
      }),
    )
    if (clamav === undefined || daemons.clamav === undefined) return
    if (health.get('clamav')?.ok) version = await clamav.version()
    const { testSignatures, updates } = daemons.clamav
    const known = testSignatures() ? undefined : version
    metrics.clamavDatabaseUpdated.set((known?.databaseBuiltAt ?? 0) / 1000)
    metrics.clamavDatabaseVersion.set(Number(known?.database ?? 0))
    metrics.clamavUpdateSucceeded.set((updates()?.succeededAt ?? 0) / 1000)
    metrics.clamavUpdateCooldown.set((updates()?.cooldownUntil ?? 0) / 1000)
  }
  await look()
  const watch = setInterval(
    () => look().catch(error => log.warn({ why: String(error) }, 'watch-failed')),
    WATCH_INTERVAL,
  )

  return {
    scanners,
    policy: policyOf(config),
    clamd: clamavConfig && { host: clamavConfig.host, port: clamavConfig.port, ...daemons.clamav },
    warnings: [...daemons.problems, ...(daemons.clamav?.testSignatures() ? [TEST_SIGNATURES] : [])],
    checks: () =>
      [
        ...scanners.map(({ name }): Check => {
          const { ok, detail } = health.get(name) ?? { ok: false, detail: 'not asked yet' }
          return { name, state: ok ? 'ok' : 'failed', detail }
        }),
        ...(daemons.clamav?.testSignatures()
          ? [{ name: 'clamav-database', state: 'warning', detail: TEST_SIGNATURES } as const]
          : [checkDatabase(version, Date.now())]),
        checkUpdates(daemons.clamav?.updates()),
        ...rspamdChecks(),
        ...daemons.status().map(({ name, ok, detail }): Check => ({ name, state: ok ? 'ok' : 'failed', detail })),
      ].filter(check => check !== undefined),
    async stop() {
      clearInterval(watch)
      await Promise.all(scanners.map(scanner => scanner.close()))
      await daemons.stop()
    },
  }
}

type Notice = Readonly<{ onGone: (detail: string) => void; onScore: (finding: Scored) => void }>

/** Tells at once when a scan finds nobody there: a scanner may be gone and back between two looks. */
function noticing(scanner: Scanner, { onGone, onScore }: Notice): Scanner {
  return {
    ...scanner,
    async scan(...asked) {
      const finding = await scanner.scan(...asked)
      if (finding.kind === 'could-not-scan' && finding.failure === 'unreachable') onGone(finding.detail)
      if (finding.kind === 'scored') onScore(finding)
      return finding
    },
  }
}

/** What the configuration says about findings, in the words of the verdict. */
function policyOf(config: Config): ScanPolicy {
  const clamav = enabledPlugin(config, 'clamav')
  const rspamd = enabledPlugin(config, 'rspamd')
  return {
    ...(clamav && { clamav: { action: clamav.action, heuristics: clamav.heuristics, onError: clamav.on_error } }),
    ...(rspamd && {
      rspamd: {
        rejectScore: rspamd.reject_score,
        action: rspamd.action,
        addHeaders: rspamd.add_headers,
        onError: rspamd.on_error,
      },
    }),
  }
}
