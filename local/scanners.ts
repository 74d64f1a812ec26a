// The scanners of the embedded home: those that run already are used, the others are started as children. A watch
// pings them, keeps their gauges, and says when one has come back, so that waiting mail is scanned at once.
import type { Check } from '../src/console/ops-server.ts'
import { type Config, enabledPlugin } from '../src/platform/config.ts'
import type { Log } from '../src/platform/log.ts'
import type { Metrics } from '../src/platform/metrics.ts'
import { createClamav } from '../src/scan/clamav.ts'
import { createRspamd } from '../src/scan/rspamd.ts'
import type { Scanner, ScannerHealth } from '../src/scan/scanner.ts'
import type { ScanPolicy } from '../src/scan/verdict.ts'
import { startDaemons } from './embedded/daemons.ts'

/** Milliseconds between two looks at the scanners. */
const WATCH_INTERVAL = 2000

export type EmbeddedScanners = Readonly<{
  scanners: readonly Scanner[]
  policy: ScanPolicy
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
  'ClamAV has no signature database: only the EICAR test file is found. Run freshclam, then start again'

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
  const scanners: Scanner[] = [clamav, rspamd].filter(scanner => scanner !== undefined)
  metrics.scannersConfigured.set(scanners.length)

  const health = new Map<string, ScannerHealth>()
  async function look(): Promise<void> {
    await Promise.all(
      scanners.map(async scanner => {
        const before = health.get(scanner.name)
        const found = await scanner.ping()
        health.set(scanner.name, found)
        metrics.scannerUp.set(scanner.name, found.ok ? 1 : 0)
        if (found.ok && before?.ok === false) onBack()
        if (before !== undefined && found.ok !== before.ok) {
          log[found.ok ? 'info' : 'error'](
            { scanner: scanner.name, detail: found.detail },
            found.ok ? 'scanner-up' : 'scanner-down',
          )
        }
      }),
    )
    if (clamav !== undefined && health.get('clamav')?.ok) {
      const builtAt = daemons.clamav?.testSignatures ? undefined : (await clamav.version())?.databaseBuiltAt
      metrics.clamavDatabaseUpdated.set(builtAt === undefined ? 0 : builtAt / 1000)
    }
  }
  await look()
  const watch = setInterval(
    () => look().catch(error => log.warn({ why: String(error) }, 'watch-failed')),
    WATCH_INTERVAL,
  )

  return {
    scanners,
    policy: policyOf(config),
    warnings: [...daemons.problems, ...(daemons.clamav?.testSignatures ? [TEST_SIGNATURES] : [])],
    checks: () => [
      ...scanners.map(({ name }): Check => {
        const { ok, detail } = health.get(name) ?? { ok: false, detail: 'not asked yet' }
        return { name, state: ok ? 'ok' : 'failed', detail }
      }),
      ...(daemons.clamav?.testSignatures
        ? [{ name: 'clamav-database', state: 'warning', detail: TEST_SIGNATURES } as const]
        : []),
      ...daemons.status().map(({ name, ok, detail }): Check => ({ name, state: ok ? 'ok' : 'failed', detail })),
    ],
    async stop() {
      clearInterval(watch)
      await Promise.all(scanners.map(scanner => scanner.close()))
      await daemons.stop()
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
