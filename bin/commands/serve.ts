// `elemta serve`: runs the gateway until SIGTERM or SIGINT, then finishes what is in work.
import { type Command, InvalidArgumentError } from 'commander'
import { ROLES, type Role } from '../../local/roles.ts'
import type { Gateway } from '../../local/serve.ts'

type Options = Readonly<{ config?: string; role?: readonly Role[] }>

export function register(program: Command): void {
  program
    .command('serve')
    .description('run the gateway')
    .option('-c, --config <file>', 'configuration file (default: ./config/elemta.yaml, then /etc/elemta/elemta.yaml)')
    .option('--role <roles>', `which stages to run, of ${ROLES.join(',')} (default: all)`, parseRoles)
    .action(async ({ config: configFile, role: roles = ROLES }: Options) => {
      const { runGateway } = await import('../../local/run-gateway.ts')
      await runGateway({ roles, configFile, onReady: gateway => process.stderr.write(nextSteps(gateway)) })
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

function parseRoles(text: string): readonly Role[] {
  const roles = text.split(',').map(part => ROLES.find(role => role === part.trim()))
  if (roles.includes(undefined)) throw new InvalidArgumentError(`Expected some of ${ROLES.join(',')}.`)
  return ROLES.filter(role => roles.includes(role))
}
