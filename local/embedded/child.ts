// A supervised child process: started, awaited until its probe says yes, started again with a growing delay when it
// dies, stopped by SIGTERM and after a grace period by SIGKILL. It runs unprivileged, in a process group of its own
// (a terminal's Ctrl-C is for us: we drain first), and the kernel ends it when we die, even of SIGKILL.
// The first start fails with an error that carries the last lines of the child's log; later ones are tried for ever.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, fstatSync, ftruncateSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../../src/platform/log.ts'
import { type Account, findProgram } from './program.ts'

export type ChildStatus = { name: string; ok: boolean; detail: string }

export type Child = {
  status(): ChildStatus
  /** Ends the child and what is left of its process group. May be called twice. */
  stop(): Promise<void>
}

export type ChildOptions = {
  name: string
  program: string // full path
  args: string[]
  home: string // working directory; the log is `<home>/<name>.log`
  account: Account | undefined
  probe: () => Promise<boolean>
  readyWithin: number // ms
  grace?: number // ms between SIGTERM and SIGKILL
  signal?: AbortSignal | undefined // gives the first start up
  log: Log
}

export class ChildFailed extends Error {
  override name = 'ChildFailed'

  constructor(child: string, how: string, lastLines: string) {
    super(`${child} ${how}${lastLines ? `; it said:\n${lastLines}` : ' and said nothing'}`)
  }
}

const PROBE_EVERY = 25 // ms
const LOG_LIMIT = 4 * 1024 * 1024 // octets; beyond it the log begins anew
const NICE = '5'
const STEADY = 60_000 // ms; a child that lived that long is not crashing at start

/** How long to wait before the next start, in ms: 1 s, doubled to at most 30 s by each child that died young. */
export function nextRestartDelay(previous: number | undefined, lifetime: number): number {
  return previous === undefined || lifetime >= STEADY ? 1_000 : Math.min(previous * 2, 30_000)
}

/** Starts the child and resolves once it is ready. Throws `ChildFailed` when it dies or is not ready in time. */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { name, home, log, grace = 5_000 } = options
  const logFile = join(home, `${name}.log`)
  const output = openSync(logFile, 'a') // appending: whoever writes next goes on at the new end after a truncation
  ftruncateSync(output)
  const trimming = setInterval(() => fstatSync(output).size > LOG_LIMIT && ftruncateSync(output), 60_000).unref()

  const stopped = new AbortController()
  let current: Launched | undefined
  let status: ChildStatus = { name, ok: false, detail: 'starting' }

  async function launch(): Promise<Launched> {
    const launched = spawnUnprivileged(options, output)
    current = launched
    const failure = await untilReady(launched, options, stopped.signal)
    if (failure) {
      await end(launched, grace)
      throw new ChildFailed(name, failure, lastLines(logFile))
    }
    status = { name, ok: true, detail: `pid ${launched.process.pid}` }
    const { pid } = launched.process
    log.info({ child: name, pid, seconds: secondsSince(launched.startedAt), home }, 'child-started')
    return launched
  }

  async function supervise(launched: Launched): Promise<void> {
    let delay: number | undefined
    let alive: Launched | undefined = launched
    while (!stopped.signal.aborted) {
      const how = alive ? await alive.ended : status.detail
      if (stopped.signal.aborted) return
      delay = nextRestartDelay(delay, alive ? Date.now() - alive.startedAt : 0)
      status = { name, ok: false, detail: how }
      log.warn({ child: name, how, restartInSeconds: delay / 1000, said: lastLines(logFile) }, 'child-died')
      await sleep(delay, undefined, { signal: stopped.signal }).catch(() => undefined)
      if (stopped.signal.aborted) return
      alive = await launch().catch(error => {
        status = { name, ok: false, detail: (error as Error).message }
        return undefined
      })
    }
  }

  const release = () => {
    clearInterval(trimming)
    closeSync(output)
  }
  let supervision: Promise<void>
  const giveUp = () => stopped.abort()
  try {
    options.signal?.throwIfAborted()
    options.signal?.addEventListener('abort', giveUp)
    supervision = supervise(await launch())
  } catch (error) {
    release()
    throw error
  } finally {
    options.signal?.removeEventListener('abort', giveUp)
  }
  let stopping: Promise<void> | undefined
  async function stop(): Promise<void> {
    stopped.abort()
    if (current) await end(current, grace)
    await supervision
    status = { name, ok: false, detail: 'stopped' }
    release()
    log.info({ child: name }, 'child-stopped')
  }
  return {
    status: () => status,
    stop: () => (stopping ??= stop()),
  }
}

type Launched = { process: ChildProcess; startedAt: number; ended: Promise<string> }

function spawnUnprivileged({ program, args, home, account }: ChildOptions, output: number): Launched {
  const as = account ? [`--reuid=${account.uid}`, `--regid=${account.gid}`, '--clear-groups'] : []
  const setpriv = findProgram('setpriv', 'util-linux')
  // The signal at the parent's death is set last, after the change of user, which would clear it.
  const command = [setpriv, ...as, '--no-new-privs', '--pdeathsig', 'TERM', program, ...args]
  // Where processors are scarce, clients are answered first: what waits to be scanned is safe on the disk.
  const child = spawn(findProgram('nice', 'coreutils'), ['-n', NICE, ...command], {
    cwd: home,
    detached: true,
    stdio: ['ignore', output, output],
    env: { LC_ALL: 'C', PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
  })
  const ended = once(child, 'exit').then(
    ([code, signal]) => {
      killGroup(child)
      return signal ? `ended by ${signal}` : `ended with exit code ${code}`
    },
    error => `could not be started: ${(error as Error).message}`,
  )
  return { process: child, startedAt: Date.now(), ended }
}

/** Undefined once the probe says yes; else what went wrong. */
async function untilReady(launched: Launched, options: ChildOptions, stopped: AbortSignal) {
  const { probe, readyWithin } = options
  let ended: string | undefined
  void launched.ended.then(how => {
    ended = how
  })
  while (Date.now() - launched.startedAt < readyWithin) {
    const ready = await probe()
    if (ended !== undefined) return ended
    if (stopped.aborted) return 'was stopped while it started'
    if (ready) return undefined
    await sleep(PROBE_EVERY)
  }
  return `was not ready within ${readyWithin / 1000} s`
}

async function end(launched: Launched, grace: number): Promise<void> {
  launched.process.kill('SIGTERM')
  const impatience = setTimeout(() => killGroup(launched.process), grace)
  await launched.ended
  clearTimeout(impatience)
}

/** Ends what is left of the child's process group: rspamd's workers outlive a killed main process. */
function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Nobody is left.
  }
}

function lastLines(file: string): string {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-8).join('\n').slice(-2_000)
}

function secondsSince(start: number): number {
  return Math.round((Date.now() - start) / 100) / 10
}
