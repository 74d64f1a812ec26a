#!/usr/bin/env node
// The operator's command line. Each command is a file in commands/ that exports `register(program)`; only the one that
// is asked for is loaded. Exit codes are those of sysexits(3): 64 usage, 69 unavailable, 70 our fault, 78 configuration.
import { Command, CommanderError } from 'commander'
import { environment } from '../src/platform/environment.ts'
import { EXIT, exitFor } from '../src/platform/exit.ts'
import { addHomeOptions } from './commands/home-options.ts'

type CommandFile = Readonly<{ register(program: Command): void }>

/** In the order of `elemta --help`. A new command is a file and a line here. */
const COMMANDS: Readonly<Record<string, () => Promise<CommandFile>>> = {
  serve: () => import('./commands/serve.ts'),
  send: () => import('./commands/send.ts'),
  load: () => import('./commands/load.ts'),
  drill: () => import('./commands/drill.ts'),
  trace: () => import('./commands/trace.ts'),
  ledger: () => import('./commands/ledger.ts'),
  queue: () => import('./commands/queue.ts'),
  mailq: () => import('./commands/mailq.ts'),
  postqueue: () => import('./commands/postqueue.ts'),
  postsuper: () => import('./commands/postsuper.ts'),
  top: () => import('./commands/top.ts'),
  dlq: () => import('./commands/dlq.ts'),
  quarantine: () => import('./commands/quarantine.ts'),
  clamav: () => import('./commands/clamav.ts'),
  learn: () => import('./commands/learn.ts'),
  user: () => import('./commands/user.ts'),
  config: () => import('./commands/config.ts'),
  cost: () => import('./commands/cost.ts'),
  greylist: () => import('./commands/greylist.ts'),
  migrate: () => import('./commands/migrate.ts'),
  monitoring: () => import('./commands/monitoring.ts'),
}

async function main(args: readonly string[]): Promise<void> {
  const program = new Command('elemta')
    .description('A mail-security gateway: SMTP in, scanned by ClamAV and Rspamd, delivered.')
    .showHelpAfterError('(--help says more)')
    .exitOverride()
  const asked = COMMANDS[args.find(arg => !arg.startsWith('-')) ?? '']
  const files = asked === undefined ? Object.values(COMMANDS) : [asked]
  for (const { register } of await Promise.all(files.map(load => load()))) register(program)
  addHomeOptions(program)
  await program.parseAsync(args, { from: 'user' })
}

// Whoever reads our output may stop doing so: `elemta config show | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
})

try {
  await main(process.argv.slice(2))
} catch (error) {
  // Commander has said what is wrong; asking for help is not an error.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : EXIT.usage
  else {
    const { exitCode, message } = exitFor(error)
    if (environment.ELEMTA_DEBUG) console.error(error)
    console.error(message)
    process.exitCode = exitCode
  }
}
