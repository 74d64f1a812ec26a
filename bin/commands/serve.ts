// `elemta serve`: runs the gateway in the embedded home until SIGTERM or SIGINT, then finishes what is in work.
// A second signal ends it at once; nothing accepted is lost by that.
import { type Command, InvalidArgumentError } from 'commander'
import type { Role } from '../../local/serve.ts'
import { loadConfig } from '../../src/platform/config-load.ts'
import { createLog } from '../../src/platform/log.ts'

type Options = Readonly<{ config?: string; role?: readonly Role[] }>

const ROLES: readonly Role[] = ['ingress', 'scan', 'delivery']

export function register(program: Command): void {
  program
    .command('serve')
    .description('run the gateway')
    .option('-c, --config <file>', 'configuration file (default: ./config/elemta.yaml, then /etc/elemta/elemta.yaml)')
    .option('--role <roles>', `which stages to run, of ${ROLES.join(',')} (default: all)`, parseRoles)
    .action(async ({ config: named, role: roles = ROLES }: Options) => {
      const config = loadConfig(named)
      const log = createLog({ level: config.log.level, terminal: process.stdout.isTTY })
      const { serve } = await import('../../local/serve.ts')
      const gateway = await serve(config, { roles, log })
      for (const warning of gateway.warnings) log.warn({ warning }, 'warning')
      await stopSignal()
      await gateway.stop()
    })
}

function stopSignal(): Promise<void> {
  return new Promise(resolve => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve())
  })
}

function parseRoles(text: string): readonly Role[] {
  const roles = text.split(',').map(part => ROLES.find(role => role === part.trim()))
  if (roles.includes(undefined)) throw new InvalidArgumentError(`Expected some of ${ROLES.join(',')}.`)
  return ROLES.filter(role => roles.includes(role))
}
