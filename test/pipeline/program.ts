// The program as a child process of a test: its log by lines, its end, and its command line's answers.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export type LogLine = Readonly<{ event: string; queueId?: string }> & Record<string, unknown>

export type Program = Readonly<{
  process: ChildProcess
  /** Resolves with the first line, past or future, that `wanted` accepts. Rejects when the program ends first. */
  log(wanted: (line: LogLine) => boolean): Promise<LogLine>
  /** All lines so far with this event. */
  logged(event: string): readonly LogLine[]
  /** What it wrote to standard error so far. */
  errors(): string
  /** The end of its output, for messages about what went wrong. */
  lastWords(): string
  /** Resolves with the exit code or signal, when all of its output was read. */
  ended: Promise<number | string>
}>

export type RunOptions = Readonly<{
  env?: Record<string, string>
  /** A shell command that is to run the program, with `"$@"` where the program stands: for limits and the like. */
  within?: string
}>

/** Compiled once for all of the many starts. */
const COMPILED = { NODE_COMPILE_CACHE: join(tmpdir(), 'elemta-compiled') }

export const ENTRY = new URL('../../bin/elemta.ts', import.meta.url).pathname

/** A test that was broken off leaves nothing running. */
const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Starts `elemta` with these arguments. */
export function startProgram(args: readonly string[], { env = {}, within }: RunOptions = {}): Program {
  const command = [process.execPath, ENTRY, ...args]
  const whole = within === undefined ? command : ['bash', '-c', within, 'bash', ...command]
  const child = spawn(whole[0]!, whole.slice(1), {
    env: { ...process.env, ...COMPILED, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  child.once('exit', () => running.delete(child))
  const lines: LogLine[] = []
  const waiting = new Set<() => void>()
  let errors = ''
  let over = false
  const look = () => {
    for (const see of waiting) see()
  }
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  createInterface({ input: child.stdout }).on('line', text => {
    lines.push(JSON.parse(text) as LogLine)
    look()
  })
  const ended = once(child, 'close').then(([code, signal]) => {
    over = true
    look()
    return (code ?? signal) as number | string
  })
  const lastWords = () => [errors, ...lines.slice(-30).map(line => JSON.stringify(line))].join('\n')

  return {
    process: child,
    errors: () => errors,
    lastWords,
    logged: event => lines.filter(line => line.event === event),
    ended,
    log: wanted =>
      new Promise<LogLine>((resolve, reject) => {
        const see = () => {
          const found = lines.find(wanted)
          if (found === undefined && !over) return
          waiting.delete(see)
          if (found !== undefined) resolve(found)
          else reject(new Error(`elemta ended before that was logged\n${lastWords()}`))
        }
        waiting.add(see)
        see()
      }),
  }
}

/** Runs a command of the command line to its end. */
export async function elemta(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise(resolve => {
    execFile(process.execPath, [ENTRY, ...args], { env: { ...process.env, ...COMPILED } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}
