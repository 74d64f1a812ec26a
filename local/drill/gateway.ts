// The gateway of a drill: the program itself, with a configuration and a data directory of its own, on ports that stay
// the same when it is started again. Its log goes to `<dir>/gateway.log`. It ends with us.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import { freePort } from '../embedded/port.ts'
import { findProgram } from '../embedded/program.ts'

export type GatewayProcess = Readonly<{
  directory: string
  dataDir: string
  configFile: string
  ports: Readonly<{ smtp: number; submission: number; ops: number }>
  pid(): number
  start(): Promise<void>
  /** Ends it and waits for that. One that has ended already is no error. */
  stop(signal?: NodeJS.Signals): Promise<void>
  restart(): Promise<void>
  /** Writes a configuration; `text` as it is, however wrong. The gateway reads it at SIGHUP and at its start. */
  configure(changes: Readonly<Record<string, unknown>> | Readonly<{ text: string }>): void
  /** Makes it read its configuration. */
  hangUp(): void
  /** Runs another command of the program on its configuration, and returns what that printed. */
  elemta(...args: string[]): Promise<string>
}>

const ENTRY = fileURLToPath(new URL('../../bin/elemta.ts', import.meta.url))
const READY_WITHIN = 120_000
const LOOK_INTERVAL = 50

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

export type GatewayOptions = Readonly<{
  dir: string
  /** The configuration but for hostname, data_dir and what listens. */
  config: Readonly<Record<string, unknown>>
  /** Of the file system that holds its spool: one in memory, seen by the gateway alone. */
  diskSize?: number
}>

/** Not started yet. */
export async function createGateway({ dir, config, diskSize }: GatewayOptions): Promise<GatewayProcess> {
  const directory = join(dir, 'gateway')
  const configFile = join(directory, 'elemta.yaml')
  const dataDir = join(directory, 'data')
  mkdirSync(dataDir, { recursive: true })
  writeFileSync(join(directory, 'users'), '')
  const ports = { smtp: await freePort(), submission: await freePort(), ops: await freePort() }
  const address = '127.0.0.1'
  const logFile = join(directory, 'gateway.log')
  let child: ChildProcess | undefined

  function configure(changes: Readonly<Record<string, unknown>> | Readonly<{ text: string }>): void {
    const whole = {
      hostname: 'mx.example.com',
      data_dir: dataDir,
      listeners: [
        { address, port: ports.smtp, mode: 'mx' },
        { address, port: ports.submission, mode: 'submission' },
      ],
      ops: { address, port: ports.ops },
      auth: { users_file: join(directory, 'users'), attempts: { per_address: 100_000 } },
      relay: { domains: ['example.com', 'down.example.com'], networks: [] },
      canary: { enabled: false },
      ...config,
      ...changes,
    }
    writeFileSync(`${configFile}.new`, 'text' in changes ? String(changes.text) : stringify(whole))
    renameSync(`${configFile}.new`, configFile)
  }

  const isRunning = () => child !== undefined && child.exitCode === null && child.signalCode === null

  async function start(): Promise<void> {
    if (isRunning()) return // healed, although it was not broken yet
    const output = openSync(logFile, 'a')
    // It ends with us, even when we are killed.
    const command = [findProgram('setpriv', 'util-linux'), '--pdeathsig', 'KILL', process.execPath, ENTRY]
    command.push('serve', '--config', configFile)
    const [program, ...args] = diskSize === undefined ? command : onSmallDisk(dataDir, diskSize, command)
    const started = spawn(program!, args, { stdio: ['ignore', output, output] })
    closeSync(output)
    child = started
    running.add(started)
    let ended = false
    started.once('error', () => {
      ended = true
    })
    started.once('exit', () => {
      ended = true
      running.delete(started)
    })
    for (const since = Date.now(); !(await answers(ports.ops)); await sleep(LOOK_INTERVAL)) {
      if (!ended && Date.now() - since < READY_WITHIN) continue
      throw new Error(`the gateway does not start; it said:\n${readFileSync(logFile, 'utf8').slice(-2000)}`)
    }
  }

  async function stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (child === undefined || !isRunning()) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }

  configure({})
  return {
    directory,
    // As we see it: the small disk is mounted for the gateway alone.
    get dataDir() {
      return diskSize === undefined ? dataDir : `/proc/${child?.pid}/root${dataDir}`
    },
    configFile,
    ports,
    pid: () => child?.pid ?? 0,
    start,
    stop,
    async restart() {
      await stop()
      await start()
    },
    configure,
    hangUp: () => void child?.kill('SIGHUP'),
    elemta: (...args) => runProgram([...args, '--config', configFile]),
  }
}

/** Ready, with its scanners started. */
async function answers(ops: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${ops}/readyz`, { signal: AbortSignal.timeout(2_000) })).ok
  } catch {
    return false
  }
}

function onSmallDisk(directory: string, size: number, command: readonly string[]): string[] {
  const mount = `mount -t tmpfs -o size=${size} none "${directory}" && exec "$@"`
  return [findProgram('unshare', 'util-linux'), '-rm', 'sh', '-c', mount, 'sh', ...command]
}

async function runProgram(args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [ENTRY, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const said = { out: '', error: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said.out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said.error += text
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`elemta ${args.join(' ')} ended with ${code}: ${said.error}`)
  return said.out
}
