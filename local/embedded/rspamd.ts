// rspamd as a child: the rules of /etc/rspamd with the policy of config/rspamd/local.d, and a redis, a storage of fuzzy
// hashes and a resolver of its own.
// Its first start compiles thousands of patterns (10 to 25 s); they are kept in `<dir>/hyperscan` and later starts
// take about a second. Without redis it cannot learn, without unbound it asks the system's resolver: it starts all
// the same and `without` says why.
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Log } from '../../src/platform/log.ts'
import { type Child, type ChildStatus, startChild } from './child.ts'
import { makeHome, makeOwnDirectory, writeConfiguration } from './home.ts'
import { freePort, isFree } from './port.ts'
import { rspamdAnswers } from './probe.ts'
import { type Account, accountFor, findProgram } from './program.ts'
import { startRedis } from './redis.ts'
import { rspamdConfiguration } from './rspamd-configuration.ts'
import { startUnbound } from './unbound.ts'

export type Rspamd = {
  host: string
  port: number // the scanning workers
  controllerPort: number // statistics and learning
  without: Error[] // why redis or unbound are not there
  status(): ChildStatus[]
  stop(): Promise<void>
}

export type RspamdOptions = {
  dir: string // its files go to `<dir>/{rspamd,redis,unbound,hyperscan}`
  log: Log
  messageBytes?: number // the longest message it takes
  port?: number
  controllerPort?: number | undefined // the wish: where it is taken, another one
  rejectScore?: number | undefined // what rspamd itself rejects at
  dqsKey?: string | undefined // Spamhaus Data Query Service
  configuration?: Record<string, string> // more files below its configuration directory, by name
  hyperscanDir?: string // compiled patterns that several share; `-<uid>` of who runs rspamd is appended
  zones?: string // see UnboundOptions
  forwardTo?: string[]
  ephemeral?: boolean // what was learned is lost at the end
  testPatterns?: boolean // GTUBE's first letter chooses the action
  signal?: AbortSignal | undefined // gives the start up
  searchPath?: string | undefined
}

/** Starts redis, unbound and rspamd; resolves once rspamd answers. Throws `MissingProgram` or `ChildFailed`. */
export async function startRspamd(options: RspamdOptions): Promise<Rspamd> {
  const { dir, log, ephemeral, zones, forwardTo, signal, searchPath } = options
  const program = findProgram('rspamd', 'rspamd redis-server unbound', searchPath)
  const account = accountFor('_rspamd')
  const port = options.port ?? (await freePort())
  const controllerPort = await portOr(options.controllerPort)
  const fuzzyPort = await freePort()
  const [redis, unbound] = await Promise.all([
    startRedis({ dir, ephemeral, signal, log, searchPath }).catch(asError),
    startUnbound({ dir, zones, forwardTo, signal, log, searchPath }).catch(asError),
  ])
  const helpers: (Child | Error)[] = [redis, unbound]
  const children = helpers.filter((helper): helper is Child => !(helper instanceof Error))
  const stop = async () => {
    await Promise.all(children.map(child => child.stop()))
  }
  try {
    const home = makeHome(dir, 'rspamd', account)
    const files = rspamdConfiguration({
      port,
      controllerPort,
      fuzzyPort,
      rejectScore: options.rejectScore ?? 15,
      dqsKey: options.dqsKey,
      hyperscanDirectory: patternsDirectory(options, account),
      messageBytes: options.messageBytes ?? 100 * 1024 * 1024,
      testPatterns: options.testPatterns ?? false,
      redis: redis instanceof Error ? undefined : redis,
      resolverPort: unbound instanceof Error ? undefined : unbound.port,
    })
    for (const part of ['local.d', 'override.d', 'generated.d'])
      rmSync(join(home, part), { recursive: true, force: true })
    for (const [file, text] of Object.entries({ ...files, ...options.configuration })) {
      mkdirSync(dirname(join(home, file)), { recursive: true })
      writeConfiguration(join(home, file), text, account)
    }

    const child = await startChild({
      name: 'rspamd',
      program,
      args: ['-f', '-c', '/etc/rspamd/rspamd.conf', ...directories(home, account)],
      home,
      account,
      probe: async () => (await rspamdAnswers('127.0.0.1', port)) && (await rspamdAnswers('127.0.0.1', controllerPort)),
      readyWithin: 180_000,
      signal,
      log,
    })
    children.unshift(child)
    if (!(unbound instanceof Error)) await unbound.warm
  } catch (error) {
    await stop()
    throw error
  }
  const without = helpers.filter(helper => helper instanceof Error)
  return { host: '127.0.0.1', port, controllerPort, without, status: () => children.map(each => each.status()), stop }
}

/** Nobody but us needs to know the port, so one that is taken is no reason to fail. */
async function portOr(wanted: number | undefined): Promise<number> {
  return wanted !== undefined && (await isFree(wanted)) ? wanted : freePort()
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}

function directories(home: string, account: Account | undefined): string[] {
  const own = (name: string) => makeOwnDirectory(join(home, name), account)
  const places = { LOCAL_CONFDIR: home, DBDIR: own('db'), RUNDIR: own('run'), LOGDIR: own('log') }
  return Object.entries(places).flatMap(([name, path]) => ['--var', `${name}=${path}`])
}

function patternsDirectory({ dir, hyperscanDir, log }: RspamdOptions, account: Account | undefined): string {
  const shared = hyperscanDir && `${hyperscanDir}-${account?.uid ?? process.getuid?.()}`
  const directory = makeOwnDirectory(shared ?? makeHome(dir, 'hyperscan', account), account)
  if (!readdirSync(directory).some(file => file.endsWith('.hsmp'))) {
    log.info({ child: 'rspamd', doing: 'compiling rspamd’s patterns, about 20 s the first time' }, 'child-preparing')
  }
  return directory
}
