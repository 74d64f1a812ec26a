// elemta migrate: moves the mail that waits from one home to another. See docs/deployment.md.
import { userInfo } from 'node:os'
import { type Command, Option } from 'commander'
import type { Log } from '../../src/platform/log.ts'
import type { Account } from '../../src/spool/migrate.ts'
import type { Backends } from '../../src/storage/backends.ts'
import type { HomeName } from './home-options.ts'

type Options = Readonly<{
  from: HomeName
  to: HomeName
  stage?: string
  endpoint?: string
  dryRun?: true
  json?: true
  config?: string
}>
type Opened = Readonly<{ name: string; backends: Backends }>

const HOMES = ['embedded', 'aws'] as const

export function register(program: Command): void {
  program
    .command('migrate')
    .description('move all mail that waits from one home to another, with an account of both')
    .addOption(new Option('--from <home>', 'no gateway may work on it').choices(HOMES).makeOptionMandatory())
    .addOption(new Option('--to <home>', 'where gateways may go on').choices(HOMES).makeOptionMandatory())
    .option('--stage <stage>', 'the AWS home is this stage of deployments/ (default: storage.aws of the configuration)')
    .option('--endpoint <url>', 'of an emulator of AWS')
    .option('--dry-run', 'only count')
    .option('--json', 'print the account as JSON')
    .option('-c, --config <file>', 'configuration file; its data_dir is the embedded home')
    .action(run)
}

async function run(options: Options): Promise<void> {
  const { EXIT, ExitError } = await import('../../src/platform/exit.ts')
  const { createLog } = await import('../../src/platform/log.ts')
  const { migrate } = await import('../../src/spool/migrate.ts')
  const { formatLedger, readLedger } = await import('../../src/spool/ledger.ts')
  const { from, to, dryRun, json } = options
  if (from === to) throw new ExitError(EXIT.usage, '--from and --to are the same home')
  const log = createLog({ level: 'warn', terminal: process.stderr.isTTY, stderr: true })
  const source = await open(from, options, { log, mustBeThere: true })
  try {
    await refuseWhileInWork(source)
    if (dryRun) {
      process.stdout.write(`${source.name}\n${formatLedger(await readLedger(source.backends))}`)
      return
    }
    const target = await open(to, options, { log, mustBeThere: false })
    try {
      const account = await migrate({
        source: source.backends,
        target: target.backends,
        from: source.name,
        to: target.name,
        by: userInfo().username,
        now: Date.now,
      })
      await tell(account, { source, target, json })
    } finally {
      await target.backends.close()
    }
  } finally {
    await source.backends.close()
  }
}

async function open(
  home: HomeName,
  { stage, endpoint, config: file }: Options,
  { log, mustBeThere }: Readonly<{ log: Log; mustBeThere: boolean }>,
): Promise<Opened> {
  const { homeOf } = await import('./home-options.ts')
  const { EXIT, ExitError } = await import('../../src/platform/exit.ts')
  if (home === 'aws') {
    const place = { ...(stage !== undefined && { stage }), ...(endpoint !== undefined && { endpoint }) }
    const { aws } = (await homeOf({ home, ...place }, file)).config.storage
    const { awsPlaceOf, openAws } = await import('../../src/backends-aws.ts')
    const backends = await openAws({ place: awsPlaceOf(aws!), now: Date.now, log })
    return { name: `aws ${aws!.bucket}`, backends }
  }
  const { hasSpool, openEmbedded } = await import('../../src/backends.ts')
  const { SpoolError } = await import('../../src/storage/spool-error.ts')
  const { data_dir: dataDir } = (await homeOf({ home }, file)).config
  if (mustBeThere && !hasSpool(dataDir)) throw new ExitError(EXIT.unavailable, `there is no spool in ${dataDir}`)
  const backends = await openEmbedded({ dataDir, now: Date.now, log }).catch(error => {
    throw error instanceof SpoolError ? new ExitError(EXIT.unavailable, error.message) : error
  })
  return { name: `embedded ${dataDir}`, backends }
}

/** A data directory is ours alone by its lock; AWS has none, but workers that are at work show. */
async function refuseWhileInWork({ name, backends }: Opened): Promise<void> {
  const { EXIT, ExitError } = await import('../../src/platform/exit.ts')
  const [scan, delivery] = await Promise.all([backends.scanJobs.tally(), backends.deliveryJobs.tally()])
  const active = scan.active.jobs + delivery.active.jobs
  if (active === 0) return
  throw new ExitError(
    EXIT.temporary,
    `${name}: workers have ${active} jobs: stop them, and wait for their leases to end`,
  )
}

async function tell(
  account: Account,
  { source, target, json }: Readonly<{ source: Opened; target: Opened; json?: true | undefined }>,
): Promise<void> {
  const { faultsIn } = await import('../../src/spool/migrate.ts')
  const { formatLedger } = await import('../../src/spool/ledger.ts')
  const faults = faultsIn(account)
  const { moved } = account
  if (json) process.stdout.write(`${JSON.stringify({ ...account, faults })}\n`)
  else {
    for (const [{ name }, { before, after }] of [
      [source, account.source],
      [target, account.target],
    ] as const) {
      process.stdout.write(`${name}, before\n${formatLedger(before)}${name}, after\n${formatLedger(after)}\n`)
    }
    process.stdout.write(`moved: ${moved.messages} messages, ${moved.open} recipients that wait\n`)
  }
  for (const fault of faults) process.stderr.write(`elemta: ${fault}\n`)
  if (faults.length > 0) process.exitCode = 1
}
