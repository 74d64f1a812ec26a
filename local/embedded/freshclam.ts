// freshclam beside an own clamd: a child that is run, looks for newer signatures, tells clamd to load them, and ends.
// When it runs next is decided by its report and kept in `<home>/updates.json`: a mirror that said 429 or 403 is left
// alone for as long as it asked for, also by a gateway that is started again. A run that fails changes nothing: clamd
// goes on with what it has, and the status says since when.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, fstatSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../../src/platform/log.ts'
import { freshclamRuns, type Signatures } from './clamav-signatures.ts'
import {
  afterRun,
  nextUpdate,
  readCooldown,
  readReport,
  type UpdateHistory,
  type UpdateReport,
} from './clamav-update-report.ts'
import { writeConfiguration } from './home.ts'
import { type Account, findProgram } from './program.ts'

export type UpdateSettings = Readonly<{
  interval: number // ms between two looks
  mirror?: string | undefined // a private one, in place of ClamAV's own
  databases?: readonly string[] | undefined // more of them, by URL
  official?: boolean // false: only those in `databases`
}>

export type UpdateStatus = Readonly<{
  ok: boolean
  detail: string
  succeededAt?: number | undefined // ms since 1970
  cooldownUntil?: number | undefined
}>

export type Freshclam = Readonly<{ status(): UpdateStatus; stop(): Promise<void> }>

export type FreshclamOptions = Readonly<{
  home: string // clamd's: freshclam.conf, freshclam.log and updates.json are put there
  signatures: Signatures
  clamdConfiguration: string // whom to tell
  account: Account | undefined
  updates: UpdateSettings
  log: Log
  searchPath?: string | undefined
}>

const OUTPUT_LIMIT = 256 * 1024 // octets
const LONGEST_RUN = 3600_000 // ms: a quarter of a gigabyte over a slow line
const LONGEST_SLEEP = 24 * 3600_000

/** Begins to look for updates, at once where it is time. Throws `MissingProgram`. */
export function startFreshclam(options: FreshclamOptions): Freshclam {
  const { home, signatures, updates, account, log, searchPath } = options
  const program = findProgram('freshclam', 'clamav-freshclam', searchPath)
  const setpriv = findProgram('setpriv', 'util-linux')
  const configuration = writeConfiguration(join(home, 'freshclam.conf'), freshclamConfiguration(options), account)
  const historyFile = join(home, 'updates.json')
  const stopped = new AbortController()
  const spread = Math.random()
  let history = readHistory(historyFile)
  let child: ChildProcess | undefined
  let others = false // the system's own freshclam does it

  const remember = (now: UpdateHistory) => {
    history = now
    writeFileSync(historyFile, JSON.stringify(now))
  }

  async function run(): Promise<UpdateReport> {
    const as = account ? [`--reuid=${account.uid}`, `--regid=${account.gid}`, '--clear-groups'] : []
    const only = updates.official === false ? ['--update-db=custom'] : []
    const command = [program, '--config-file', configuration, '--stdout', ...only]
    const spawned = spawn(setpriv, [...as, '--no-new-privs', '--pdeathsig', 'TERM', ...command], {
      cwd: home,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
      timeout: LONGEST_RUN,
    })
    child = spawned
    let output = ''
    for (const stream of [spawned.stdout, spawned.stderr]) {
      stream.on('data', text => (output = (output + text).slice(-OUTPUT_LIMIT)))
    }
    const [code] = (await once(spawned, 'close')) as [number | null]
    child = undefined
    writeFileSync(join(home, 'freshclam.log'), output)
    return readReport(code, output, cooldownIn(signatures.directory), Date.now())
  }

  async function update(): Promise<void> {
    const attemptedAt = Date.now()
    others = signatures.system && freshclamRuns()
    if (others) return remember({ attemptedAt, failures: 0 })
    // Before it runs: should it take us down with it, we do not come back at once.
    remember({ ...history, attemptedAt })
    const report = await run().catch((error): UpdateReport => ({ kind: 'failed', why: (error as Error).message }))
    if (stopped.signal.aborted) return
    remember(afterRun(history, report, attemptedAt))
    const about = { ...report, next: new Date(nextUpdate(history, updates.interval, spread)).toISOString() }
    if (report.kind === 'updated') log.info(about, 'signatures-updated')
    else if (report.kind !== 'current') log.warn(about, 'signatures-not-updated')
  }

  async function keepUpdating(): Promise<void> {
    while (!stopped.signal.aborted) {
      const wait = nextUpdate(history, updates.interval, spread) - Date.now()
      await sleep(Math.max(0, Math.min(wait, LONGEST_SLEEP)), undefined, { signal: stopped.signal }).catch(() => {})
      if (!stopped.signal.aborted && wait <= LONGEST_SLEEP) await update()
    }
  }
  const updating = keepUpdating().catch(error => log.error({ why: String(error) }, 'signatures-not-updated'))

  return {
    status: () =>
      others
        ? { ok: true, detail: 'the system’s freshclam keeps them up to date' }
        : statusOf(history, nextUpdate(history, updates.interval, spread), Date.now()),
    async stop() {
      stopped.abort()
      child?.kill('SIGTERM')
      await updating
    },
  }
}

function freshclamConfiguration(options: FreshclamOptions): string {
  const { signatures, clamdConfiguration, account, updates } = options
  const { mirror, databases = [], official = true } = updates
  // One mirror has to be named, even when nothing is asked of it.
  const from = official && mirror === undefined ? 'DatabaseMirror database.clamav.net' : undefined
  return [
    `DatabaseDirectory ${signatures.directory}`,
    ...(account ? [`DatabaseOwner ${account.name}`] : []),
    `NotifyClamd ${clamdConfiguration}`,
    'TestDatabases yes',
    'MaxAttempts 1', // we have a back-off of our own
    'ReceiveTimeout 0',
    from ?? `PrivateMirror ${mirror ?? 'http://127.0.0.1:1'}`,
    ...databases.map(url => `DatabaseCustomURL ${url}`),
    '',
  ].join('\n')
}

function statusOf(history: UpdateHistory, next: number, now: number): UpdateStatus {
  const { attemptedAt, succeededAt, failures, why } = history
  const cooldownUntil = history.cooldownUntil !== undefined && history.cooldownUntil > now ? history.cooldownUntil : 0
  const last = succeededAt === undefined ? 'never updated' : `last updated ${time(succeededAt)}`
  const about = { succeededAt, cooldownUntil: cooldownUntil || undefined }
  if (cooldownUntil > 0) {
    const detail = `the mirror asked us to stay away (429 or 403) until ${time(cooldownUntil)}; ${last}`
    return { ok: false, detail, ...about }
  }
  if (failures > 0) {
    const detail = `freshclam failed (${failures} in a row): ${why}; ${last}, next try ${time(next)}`
    return { ok: false, detail, ...about }
  }
  if (attemptedAt === undefined) return { ok: true, detail: 'signatures are being fetched', ...about }
  return { ok: true, detail: `${last}, next look ${time(next)}`, ...about }
}

function time(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}

function readHistory(file: string): UpdateHistory {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as UpdateHistory
  } catch {
    return { failures: 0 }
  }
}

/** freshclam.dat is in a directory of clamd's account: no link is followed, and nothing is waited for. */
function cooldownIn(directory: string): number | undefined {
  try {
    const file = openSync(
      join(directory, 'freshclam.dat'),
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    )
    try {
      const octets = Buffer.alloc(512)
      return fstatSync(file).isFile() ? readCooldown(octets.subarray(0, readSync(file, octets))) : undefined
    } finally {
      closeSync(file)
    }
  } catch {
    return undefined
  }
}
