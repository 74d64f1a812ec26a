// The scanners of the embedded home. One that answers at its configured address is used as it is; else it is started
// as our child, on a private port. Nothing here throws: what cannot be had becomes a problem that says what to
// install, the configured address stays, and mail is accepted and waits. A daemon that is there but fails at start
// is tried again, for ever; a package that is missing is not.
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../../src/platform/log.ts'
import { type ChildStatus, nextRestartDelay } from './child.ts'
import { type Clamd, startClamd } from './clamd.ts'
import { removeController, writeController } from './controller-file.ts'
import type { UpdateStatus } from './freshclam.ts'
import { freePort } from './port.ts'
import { clamdAnswers, rspamdAnswers } from './probe.ts'
import { MissingProgram } from './program.ts'
import { type RspamdOptions, startRspamd } from './rspamd.ts'

/** `managed`: false never starts a child; true always does; without it a child is started where nobody answers. */
export type ScannerSettings = { host: string; port: number; managed?: boolean | undefined }

/** In the words of config/elemta.yaml. */
export type ClamavSettings = ScannerSettings & {
  updates?: { enabled: boolean; interval: number; mirror?: string | undefined; databases?: string[] } | undefined
}
export type RspamdSettings = ScannerSettings & {
  reject_score?: number
  controller_port?: number
  dqs_key?: string | undefined
}

export type ScannerAddress = { host: string; port: number; managed: boolean }

export type DaemonsOptions = {
  dataDir: string
  scanners: { clamav?: ClamavSettings | undefined; rspamd?: RspamdSettings | undefined }
  messageSize: number // octets of the longest message that is accepted
  log: Log
  /** For tests: ready-made DNS, test patterns, shared compiled patterns, nothing kept. */
  rspamd?: Pick<RspamdOptions, 'hyperscanDir' | 'zones' | 'forwardTo' | 'ephemeral' | 'testPatterns'>
  signal?: AbortSignal // gives the start up
  searchPath?: string
}

export type Daemons = {
  /** `updates`: undefined where keeping the signatures up to date is not ours to do. */
  clamav?: ScannerAddress & { testSignatures(): boolean; updates(): UpdateStatus | undefined }
  rspamd?: ScannerAddress
  /** For the operator: what is not as it should be, and the command that helps. Empty when all is well. */
  problems: string[]
  status(): ChildStatus[]
  stop(): Promise<void>
}

const HEADROOM = 1024 * 1024 // octets for the trace and verdict headers that the scanners also see

/** Finds or starts what `scanners` names, all at once. Resolves when each is ready or known not to be. */
export async function startDaemons(options: DaemonsOptions): Promise<Daemons> {
  const { dataDir, scanners, messageSize, log, searchPath } = options
  const stopped = new AbortController()
  options.signal?.addEventListener('abort', () => stopped.abort(), { once: true })
  const common = { dir: join(dataDir, 'daemons'), log, searchPath, signal: stopped.signal }
  const most = messageSize + HEADROOM
  let clamd: Clamd | undefined

  const [clamav, rspamd] = await Promise.all([
    scanners.clamav &&
      findOrStart(scanners.clamav, {
        name: 'clamd',
        answers: clamdAnswers,
        start: async port => {
          const { updates } = scanners.clamav ?? {}
          const wanted = updates?.enabled ? updates : undefined
          clamd = await startClamd({ ...common, port, streamMaxBytes: most, updates: wanted })
          return clamd
        },
        stopped: stopped.signal,
        log,
      }),
    scanners.rspamd &&
      findOrStart(scanners.rspamd, {
        name: 'rspamd',
        answers: rspamdAnswers,
        start: async port => {
          const { reject_score: rejectScore, controller_port: controllerPort, dqs_key: dqsKey } = scanners.rspamd ?? {}
          const own = { port, controllerPort, rejectScore, dqsKey, messageBytes: most }
          const running = await startRspamd({ ...common, ...options.rspamd, ...own })
          writeController(dataDir, { host: running.host, port: running.controllerPort })
          return { ...running, stop: () => running.stop().finally(() => removeController(dataDir)) }
        },
        stopped: stopped.signal,
        log,
      }),
  ])
  const found = [clamav, rspamd].filter(daemon => daemon !== undefined)
  for (const { problem } of found) if (problem) log.error({ problem }, 'scanner-problem')
  return {
    ...(clamav && {
      clamav: {
        ...clamav.address,
        testSignatures: () => clamd?.testSignatures() ?? false,
        updates: () => clamd?.updates(),
      },
    }),
    ...(rspamd && { rspamd: rspamd.address }),
    problems: found.flatMap(({ problem }) => problem ?? []),
    status: () => found.flatMap(daemon => daemon.status()),
    async stop() {
      stopped.abort()
      await Promise.all(found.map(daemon => daemon.stop()))
    },
  }
}

type Running = { without?: Error[]; status(): ChildStatus[]; stop(): Promise<void> }
type Kind = {
  name: string
  answers: (host: string, port: number) => Promise<boolean>
  start: (port: number) => Promise<Running>
  stopped: AbortSignal
  log: Log
}
type Found = { address: ScannerAddress; problem?: string; status(): ChildStatus[]; stop(): Promise<void> }

async function findOrStart({ host, port, managed }: ScannerSettings, kind: Kind): Promise<Found> {
  const { name, answers, start, log } = kind
  const configured = { host, port, managed: false }
  const nothing = async () => undefined
  if (managed !== true && (await answers(host, port))) {
    log.info({ scanner: name, host, port }, 'scanner-found')
    return { address: configured, status: () => [], stop: nothing }
  }
  const waiting = `mail waits until ${name} answers on ${host}:${port}`
  if (managed === false) {
    const problem = `${name} does not answer and managed: false forbids starting it: ${waiting}`
    return { address: configured, problem, status: () => [{ name, ok: false, detail: problem }], stop: nothing }
  }
  const own = { host: '127.0.0.1', port: await freePort(), managed: true }
  try {
    const running = await start(own.port)
    const { without = [], status, stop } = running
    return { address: own, ...(without.length > 0 && { problem: doesWithout(name, without) }), status, stop }
  } catch (error) {
    const problem = (error as Error).message
    if (error instanceof MissingProgram) {
      const text = `${problem}: ${waiting}. To install it: ${installCommand([error])}`
      return { address: configured, problem: text, status: () => [{ name, ok: false, detail: text }], stop: nothing }
    }
    return {
      address: own,
      problem: `${problem}\nIt is tried again; mail waits.`,
      ...keepStarting(own.port, kind, problem),
    }
  }
}

/** Tries in the background until the daemon runs; its address is known already. */
function keepStarting(port: number, { name, start, stopped, log }: Kind, firstFailure: string): Omit<Found, 'address'> {
  let detail = firstFailure
  let running: Running | undefined
  async function retry(): Promise<void> {
    let delay: number | undefined
    while (!running) {
      delay = nextRestartDelay(delay, 0)
      await sleep(delay, undefined, { signal: stopped }).catch(() => undefined)
      if (stopped.aborted) return
      running = await start(port).catch(error => {
        detail = (error as Error).message
        log.warn({ child: name, how: detail }, 'child-failed')
        return undefined
      })
    }
  }
  const retrying = retry()
  return {
    status: () => running?.status() ?? [{ name, ok: false, detail }],
    async stop() {
      await retrying
      await running?.stop()
    },
  }
}

function doesWithout(name: string, failures: Error[]): string {
  const missing = failures.filter(failure => failure instanceof MissingProgram)
  const reasons = failures.map(failure => failure.message).join('; ')
  const help = missing.length > 0 ? ` To install: ${installCommand(missing)}` : ''
  return `${name} runs, but ${reasons}.${help}`
}

function installCommand(missing: MissingProgram[]): string {
  const packages = missing.map(each => each.debianPackages).join(' ')
  return `apt-get install -y --no-install-recommends ${packages} (as root), then start again`
}
