// `elemta serve`: runs the gateway in the embedded home until SIGTERM or SIGINT, then finishes what is in work.
// A second signal ends it at once; nothing accepted is lost by that.
import { type Command, InvalidArgumentError } from 'commander'
import { ROLES, type Role } from '../../local/roles.ts'
import type { Gateway } from '../../local/serve.ts'
import { loadConfig, reloadConfig } from '../../src/platform/config-load.ts'
import { environment } from '../../src/platform/environment.ts'
import { createLog } from '../../src/platform/log.ts'

type Options = Readonly<{ config?: string; role?: readonly Role[] }>

/** Signals within this time, in milliseconds, are one. */
const SAME_SIGNAL = 1000
const PARENT_INTERVAL = 500

export function register(program: Command): void {
  program
    .command('serve')
    .description('run the gateway')
    .option('-c, --config <file>', 'configuration file (default: ./config/elemta.yaml, then /etc/elemta/elemta.yaml)')
    .option('--role <roles>', `which stages to run, of ${ROLES.join(',')} (default: all)`, parseRoles)
    .action(async ({ config: named, role: roles = ROLES }: Options) => {
      const config = loadConfig(named)
      const log = createLog({ ...config.log, hostname: config.hostname, terminal: process.stdout.isTTY })
      const { serve } = await import('../../local/serve.ts')
      const starting = serve(config, { roles, log })
      // From here on: one that comes before we are ready is done when we are.
      process.on(
        'SIGHUP',
        () => void starting.then(gateway => gateway.reload(() => reloadConfig(named))).catch(() => {}),
      )
      const gateway = await starting
      for (const warning of gateway.warnings) log.warn({ warning }, 'warning')
      log.info({ smtp: gateway.smtp, ops: gateway.ops }, 'ready')
      process.stderr.write(nextSteps(gateway))
      await stopSignal()
      await gateway.stop()
    })
}

/** What to type next, for whoever started us by hand. */
function nextSteps({ smtp, ops, warnings }: Gateway): string {
  const listening = smtp.map(({ address, port }) => `${address}:${port}`).join(', ')
  return [
    '',
    listening === '' ? 'Elemta is ready.' : `Elemta takes mail on ${listening}.`,
    ...warnings.map(warning => `  WARNING  ${warning}`),
    '  In another terminal:',
    '    npm run send -- clean          send a sample (gtube, eicar, attachment) and see what becomes of it',
    '    npx elemta trace you@example.com',
    '    npx elemta ledger              prove that no mail is unaccounted for',
    `    curl http://${ops.address}:${ops.port}/readyz    also /metrics, /healthz`,
    '  Ctrl-C stops it; what was accepted stays.',
    '',
    '',
  ].join('\n')
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

function parseRoles(text: string): readonly Role[] {
  const roles = text.split(',').map(part => ROLES.find(role => role === part.trim()))
  if (roles.includes(undefined)) throw new InvalidArgumentError(`Expected some of ${ROLES.join(',')}.`)
  return ROLES.filter(role => roles.includes(role))
}
