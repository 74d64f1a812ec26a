// elemta migrate: moves the mail that waits from one home to another, with what policies remember. See docs/deployment.md.
// Nobody else may work on the source meanwhile, nor move it: a data directory is ours alone by its lock, and on AWS by marks.
import { userInfo } from 'node:os'
import { type Command, Option } from 'commander'
import type { Log } from '../../src/platform/log.ts'
import type { Account } from '../../src/spool/migrate.ts'
import type { Backends } from '../../src/storage/backends.ts'
import type { PolicyStore } from '../../src/storage/policy-store.ts'
import type { HomeName } from './home-options.ts'

type Options = Readonly<{
  from: HomeName
  to: HomeName
  stage?: string
  endpoint?: string
  withFinished?: true
  dryRun?: true
  json?: true
  config?: string
}>
type Opened = Readonly<{ home: HomeName; name: string; backends: Backends; store: PolicyStore; close(): Promise<void> }>

const HOMES = ['embedded', 'aws'] as const

export function register(program: Command): void {
  program
    .command('migrate')
    .description('move all mail that waits from one home to another, with an account of both')
    .addOption(new Option('--from <home>', 'no gateway may work on it').choices(HOMES).makeOptionMandatory())
    .addOption(new Option('--to <home>', 'where gateways may go on').choices(HOMES).makeOptionMandatory())
    .option('--stage <stage>', 'the AWS home is this stage of deployments/ (default: storage.aws of the configuration)')
    .option('--endpoint <url>', 'of an emulator of AWS')
    .option('--with-finished', 'also copy the stories of mail that has come to its end')
    .option('--dry-run', 'only count')
    .option('--json', 'print the account as JSON')
    .option('-c, --config <file>', 'configuration file; its data_dir is the embedded home')
    .action(run)
}

async function run(options: Options): Promise<void> {
  const { EXIT, ExitError } = await import('../../src/platform/exit.ts')
  const { createLog } = await import('../../src/platform/log.ts')
  const { formatLedger, readLedger } = await import('../../src/spool/ledger.ts')
  const { from, to, dryRun } = options
  if (from === to) throw new ExitError(EXIT.usage, '--from and --to are the same home')
  const log = createLog({ level: 'warn', terminal: process.stderr.isTTY, stderr: true })
  const source = await open(from, options, { log, mustBeThere: true })
  try {
    if (dryRun) {
      await refuseWhileInWork(source)
      process.stdout.write(`${source.name}\n${formatLedger(await readLedger(source.backends))}`)
      return
    }
    const target = await open(to, options, { log, mustBeThere: false })
    try {
      const mark = await takeSource(source, target, log)
      try {
        await refuseWhileInWork(source)
        await move({ source, target, options })
      } finally {
        await mark?.stop()
      }
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}

type Homes = Readonly<{ source: Opened; target: Opened }>

async function move({ source, target, options }: Homes & Readonly<{ options: Options }>): Promise<void> {
  const { migrate } = await import('../../src/spool/migrate.ts')
  const { copyMemory } = await import('../../src/spool/move-memory.ts')
  const { CLIENTS, TRIPLETS } = await import('../../src/policy/greylist-key.ts')
  const { ATTEMPT_SPACES } = await import('../../src/auth/attempts.ts')
  const { IGNORED_SIGNATURES } = await import('../../src/scan/signature-ignore.ts')
  const { withFinished = false, json } = options
  const now = Date.now
  const account = await migrate({
    source: source.backends,
    target: target.backends,
    from: source.name,
    to: target.name,
    by: userInfo().username,
    withFinished,
    now,
  })
  const spaces = [CLIENTS, TRIPLETS, ...ATTEMPT_SPACES, IGNORED_SIGNATURES]
  const remembered = await copyMemory({ source: source.store, target: target.store, spaces, now })
  await tell(account, { source, target, remembered, json })
}

async function open(
  home: HomeName,
  { stage, endpoint, config: file }: Options,
  { log, mustBeThere }: Readonly<{ log: Log; mustBeThere: boolean }>,
): Promise<Opened> {
  const { homeOf } = await import('./home-options.ts')
  if (home === 'aws') {
    const place = { ...(stage !== undefined && { stage }), ...(endpoint !== undefined && { endpoint }) }
    const { aws } = (await homeOf({ home, ...place }, file)).config.storage
    const { awsPlaceOf, openAws, openAwsPolicyStore } = await import('../../src/backends-aws.ts')
    const awsPlace = awsPlaceOf(aws!)
    const backends = await openAws({ place: awsPlace, now: Date.now, log })
    return opened(home, `aws ${aws!.bucket}`, backends, openAwsPolicyStore(awsPlace))
  }
  const { EXIT, ExitError } = await import('../../src/platform/exit.ts')
  const { hasSpool, openEmbedded, openPolicyStore } = await import('../../src/backends.ts')
  const { SpoolError } = await import('../../src/storage/spool-error.ts')
  const { data_dir: dataDir } = (await homeOf({ home }, file)).config
  if (mustBeThere && !hasSpool(dataDir)) throw new ExitError(EXIT.unavailable, `there is no spool in ${dataDir}`)
  const backends = await openEmbedded({ dataDir, now: Date.now, log }).catch(error => {
    throw error instanceof SpoolError ? new ExitError(EXIT.unavailable, error.message) : error
  })
  return opened(home, `embedded ${dataDir}`, backends, await openPolicyStore({ dataDir, log }))
}

function opened(home: HomeName, name: string, backends: Backends, store: PolicyStore): Opened {
  const close = async () => {
    await store.close()
    await backends.close()
  }
  return { home, name, backends, store, close }
}

/** Nobody may be at work on an AWS home that mail is moved away from, nor move it to somewhere else. */
async function takeSource(source: Opened, target: Opened, log: Log) {
  const { EXIT, ExitError } = await import('../../src/platform/exit.ts')
  const { beginMove, moveUnderWay, whoIsAtWork } = await import('../../src/spool/occupancy.ts')
  const now = Date.now
  const underWay = target.home === 'aws' ? await moveUnderWay({ store: target.store, now }) : undefined
  if (underWay !== undefined) throw new ExitError(EXIT.temporary, `${target.name}: ${underWay}`)
  if (source.home !== 'aws') return undefined
  const { store, name } = source
  const mark = await beginMove({ store, now, log }, { by: userInfo().username, to: target.name })
  if ('taken' in mark) throw new ExitError(EXIT.temporary, `${name}: ${mark.taken}`)
  // After the mark: who begins now sees it.
  const roles = (await whoIsAtWork({ store, now })).map(mark => mark.split(' ')[0])
  if (roles.length === 0) return mark
  await mark.stop()
  throw new ExitError(
    EXIT.temporary,
    `${name}: ${roles.join(', ')} at work within the last three minutes: stop the tasks and functions first`,
  )
}

/** Workers without a mark show by their leases. */
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
  { source, target, remembered, json }: Homes & Readonly<{ remembered: number; json?: true | undefined }>,
): Promise<void> {
  const { faultsIn } = await import('../../src/spool/migrate.ts')
  const { formatLedger } = await import('../../src/spool/ledger.ts')
  const faults = faultsIn(account)
  const { moved, finished } = account
  if (json) process.stdout.write(`${JSON.stringify({ ...account, remembered, faults })}\n`)
  else {
    for (const [{ name }, { before, after }] of [
      [source, account.source],
      [target, account.target],
    ] as const) {
      process.stdout.write(`${name}, before\n${formatLedger(before)}${name}, after\n${formatLedger(after)}\n`)
    }
    process.stdout.write(`moved: ${moved.messages} messages, ${moved.open} recipients that wait\n`)
    process.stdout.write(
      `copied: ${finished.messages} stories that ended, ${remembered} entries that policies remember\n`,
    )
  }
  for (const fault of faults) process.stderr.write(`elemta: ${fault}\n`)
  if (faults.length > 0) process.exitCode = 1
}
