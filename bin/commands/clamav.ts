// elemta clamav: signatures that find what is not there, let pass for a time, beside a running gateway or without one;
// and what clamd says of itself, as metrics for Prometheus, from a process of its own.
import { userInfo } from 'node:os'
import type { Command } from 'commander'
import type { PolicyStore } from '../../src/storage/policy-store.ts'

type Options = Readonly<{ config?: string; json?: true; for: string }>

const print = (line: string) => process.stdout.write(`${line}\n`)
const time = (at: number) => `${new Date(at).toISOString().slice(0, 19)}Z`

export function register(program: Command): void {
  const clamav = program.command('clamav').description('let false positives of ClamAV pass; tell Prometheus of clamd')
  const file = ['-c, --config <file>', 'configuration file'] as const
  const signature = ['<signature>', 'its name as `elemta trace` tells it'] as const

  clamav
    .command('ignore')
    .description('let mail pass that this signature finds; what is in quarantine stays there until it is released')
    .argument(...signature)
    .requiredOption('--for <duration>', 'for how long, such as 24h')
    .option(...file)
    .action(ignore)

  clamav
    .command('list')
    .description('list the signatures that are ignored')
    .option('--json', 'print JSON lines')
    .option(...file)
    .action(list)

  clamav
    .command('unignore')
    .description('take a signature seriously again')
    .argument(...signature)
    .option(...file)
    .action(unignore)

  clamav
    .command('exporter')
    .description('answer /metrics with what clamd says of itself (VERSION, STATS), until stopped')
    .requiredOption('--clamd <host:port>', 'where clamd listens')
    .option('--listen <address:port>', 'where to answer', '127.0.0.1:9906')
    .action(exporter)
}

async function withStore(options: Pick<Options, 'config'>, use: (store: PolicyStore) => Promise<void>): Promise<void> {
  const { loadConfig } = await import('../../src/platform/config-load.ts')
  const { openPolicyStore } = await import('../../src/backends.ts')
  const store = await openPolicyStore({ dataDir: loadConfig(options.config).data_dir, onDamage: 'refuse' })
  try {
    await use(store)
  } finally {
    await store.close()
  }
}

async function ignore(signature: string, options: Options): Promise<void> {
  const { ignoreSignature, isSignatureName } = await import('../../src/scan/signature-ignore.ts')
  const { EXIT, ExitError } = await import('../../src/platform/exit.ts')
  const { durationOf } = await import('./arguments.ts')
  if (!isSignatureName(signature)) throw new ExitError(EXIT.usage, 'that is no name of a signature')
  const lasts = durationOf(options.for)
  if (lasts === 0) throw new ExitError(EXIT.usage, '--for: expected more than 0s')
  const now = Date.now()
  const until = now + lasts
  await withStore(options, store => ignoreSignature(store, signature, { by: userInfo().username, now, until }))
  print(`${signature} is ignored until ${time(until)}`)
}

async function list(options: Options): Promise<void> {
  const { ignoredSignatures } = await import('../../src/scan/signature-ignore.ts')
  await withStore(options, async store => {
    for (const one of await ignoredSignatures(store, Date.now())) {
      const { signature, by, since, until } = one
      print(options.json ? JSON.stringify(one) : `${signature}  until ${time(until)}, by ${by} at ${time(since)}`)
    }
  })
}

async function unignore(signature: string, options: Options): Promise<void> {
  const { unignoreSignature } = await import('../../src/scan/signature-ignore.ts')
  await withStore(options, async store => {
    if (await unignoreSignature(store, signature)) return void print(`${signature} is not ignored any more`)
    process.stderr.write(`elemta: ${signature} was not ignored\n`)
    process.exitCode = 1
  })
}

async function exporter({ clamd, listen }: Readonly<{ clamd: string; listen: string }>): Promise<void> {
  const { startMetricsServer } = await import('../../src/console/ops-server.ts')
  const { scrapeClamd } = await import('../../src/scan/clamd-exporter.ts')
  const { EXIT, ExitError } = await import('../../src/platform/exit.ts')
  const { hostAndPort } = await import('./arguments.ts')
  const { host, port } = hostAndPort(clamd)
  if (port === 0) throw new ExitError(EXIT.usage, '--clamd: expected a port other than 0')
  const { host: address, port: wanted } = hostAndPort(listen)
  const server = await startMetricsServer({ address, port: wanted, scrape: () => scrapeClamd({ host, port }) })
  process.stderr.write(
    `ClamAV exporter on http://${address.includes(':') ? `[${address}]` : address}:${server.port}/metrics\n`,
  )
  await new Promise(resolve => process.once('SIGTERM', resolve).once('SIGINT', resolve))
  await server.close()
}
