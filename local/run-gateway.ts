// Runs a gateway until it is told to stop, then lets it finish what is in work: for the command line and for containers.
// SIGHUP reads the configuration again. A second signal ends it at once; nothing accepted is lost by that.
import type { Config } from '../src/platform/config.ts'
import { loadConfig, reloadConfig } from '../src/platform/config-load.ts'
import { environment } from '../src/platform/environment.ts'
import { createLog } from '../src/platform/log.ts'
import type { Role } from './roles.ts'
import type { Gateway } from './serve.ts'

export type RunOptions = Readonly<{
  roles: readonly Role[]
  /** Of the configuration, when one was named. */
  configFile?: string | undefined
  /** Called when everything runs. */
  onReady?: (gateway: Gateway) => void
}>

/** Signals within this time, in milliseconds, are one. */
const SAME_SIGNAL = 1000
const PARENT_INTERVAL = 500

/** Resolves when it has stopped; rejects when it cannot start. */
export async function runGateway({ roles, configFile, onReady }: RunOptions): Promise<void> {
  const config: Config = loadConfig(configFile)
  const log = createLog({ ...config.log, hostname: config.hostname, terminal: process.stdout.isTTY })
  const { serve } = await import('./serve.ts')
  const starting = serve(config, { roles, log })
  const reload = (gateway: Gateway) => gateway.reload(() => reloadConfig(configFile))
  // From here on: one that comes before we are ready is done when we are.
  process.on('SIGHUP', () => void starting.then(reload).catch(() => {}))
  const gateway = await starting
  for (const warning of gateway.warnings) log.warn({ warning }, 'warning')
  log.info({ smtp: gateway.smtp, ops: gateway.ops }, 'ready')
  onReady?.(gateway)
  await stopSignal()
  await gateway.stop()
}

/** Resolves at the first signal, or when npm that started us is gone; a second signal ends the process. */
function stopSignal(): Promise<void> {
  return new Promise(resolve => {
    let firstAt: number | undefined
    const onSignal = () => {
      firstAt ??= performance.now()
      // npm passes on a Ctrl-C that the terminal has told us of already: that is not a second one.
      if (performance.now() - firstAt > SAME_SIGNAL) process.exit(130)
      resolve()
    }
    process.on('SIGTERM', onSignal).on('SIGINT', onSignal)
    // npm starts us through a shell that keeps SIGTERM to itself and dies: we would go on with nobody to stop us.
    const parent = process.ppid
    const orphaned = () => process.ppid !== parent && resolve()
    if (environment.npm_lifecycle_event !== undefined) setInterval(orphaned, PARENT_INTERVAL).unref()
  })
}
