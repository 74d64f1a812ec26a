// Programs that the benchmark starts: each is the leader of its own process group, so that one signal to the group
// ends a daemon with all its children, and nothing that somebody else started is ever touched.
// Whatever happens (an error, Ctrl-C), every program is ended and every directory removed when the process exits.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'

export type Program = Readonly<{ name: string; pid: number; stop(): Promise<void> }>
export type Options = Readonly<{
  cwd?: string
  env?: Readonly<Record<string, string>>
  /** A file for its output; nothing is kept without it. */
  log?: string
  uid?: number
  gid?: number
}>

const running = new Set<number>()
const directories = new Set<string>()

process.on('exit', () => {
  for (const pid of running) signalGroup(pid, 'SIGKILL')
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130))

/** Starts a daemon in the foreground. `stop` asks with SIGTERM and, after 10 s, insists with SIGKILL. */
export function start(name: string, command: string, args: readonly string[], options: Options = {}): Program {
  const output = options.log ? openSync(options.log, 'a') : 'ignore'
  const { uid, gid } = options
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', output, output],
    detached: true,
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  })
  if (typeof output === 'number') closeSync(output)
  const { pid } = child
  if (pid === undefined) throw new Error(`cannot start ${command}`)
  running.add(pid)
  const gone = once(child, 'exit').then(() => running.delete(pid))
  return {
    name,
    pid,
    async stop() {
      signalGroup(pid, 'SIGTERM')
      const insist = setTimeout(() => signalGroup(pid, 'SIGKILL'), 10_000)
      await gone
      clearTimeout(insist)
      signalGroup(pid, 'SIGKILL') // children that outlived their leader
    },
  }
}

/** Runs a program to its end and returns its standard output. Throws, with its error output, when it does not end well. */
export async function run(command: string, args: readonly string[], options: Options = {}): Promise<string> {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  if (child.pid !== undefined) running.add(child.pid)
  let output = ''
  let errors = ''
  child.stdout.on('data', chunk => (output += chunk))
  child.stderr.on('data', chunk => (errors += chunk))
  const [code, signal] = await once(child, 'close')
  if (child.pid !== undefined) running.delete(child.pid)
  if (code !== 0) throw new Error(`${command} ended with ${code ?? signal}: ${errors.trim().slice(-2000)}`)
  return output
}

/** A new directory, removed when the benchmark ends. Any user may enter: Postfix and the scanners run as their own. */
export function temporaryDirectory(parent: string): string {
  const directory = mkdtempSync(join(parent, 'elemta-bench-'))
  chmodSync(directory, 0o755)
  removeAtExit(directory)
  return directory
}

/** For what somebody else makes and would leave behind when the benchmark is ended in the middle. */
export function removeAtExit(directory: string): void {
  directories.add(directory)
}

/** A TCP port on the loopback address that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no TCP port')
  return address.port
}

/** Waits until the port answers: with `greeting`, until its first bytes begin so. Throws with the log's end after `seconds`. */
export async function untilAnswering(
  port: number,
  { greeting, log, seconds = 20 }: { greeting?: string; log?: string; seconds?: number } = {},
): Promise<void> {
  const giveUp = Date.now() + seconds * 1000
  while (Date.now() < giveUp) {
    if (await answers(port, greeting)) return
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  const told = log ? `:\n${readFileSync(log, 'utf8').slice(0, 1500)}` : ''
  throw new Error(`nothing answers on port ${port} after ${seconds} s${told}`)
}

function answers(port: number, greeting?: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    const end = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(1000, () => end(false))
    socket.on('error', () => end(false))
    socket.on('close', () => end(false))
    if (greeting === undefined) socket.on('connect', () => end(true))
    else socket.on('data', data => end(data.toString('latin1').startsWith(greeting)))
  })
}

function signalGroup(pid: number, signal: NodeJS.Signals) {
  try {
    process.kill(-pid, signal)
  } catch {
    // already gone
  }
}
