// The container stack for its story: a copy of the repository's files (what is set up and built there goes with it), the
// commands a person would give, and what the stack then looks like from this machine.
import { execFile, execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { environment } from '../../src/platform/environment.ts'
import { podman } from './podman.ts'

const ROOT = new URL('../..', import.meta.url).pathname
const FILE = 'docker-compose-monitoring.yml'

export type Output = Readonly<{ code: number; text: string }>
export type Stack = Readonly<{
  /** Runs a program of the repository, in its root; never rejects. */
  run(program: string, ...args: readonly string[]): Promise<Output>
  /** docker-compose with the file that is the whole stack. Rejects, with what it printed, where it fails. */
  compose(...args: readonly string[]): Promise<string>
  /** An operator's command in the stack. */
  elemta(...args: readonly string[]): Promise<string>
  remove(): void
}>

export function copyStack(): Stack {
  const directory = mkdtempSync(join(tmpdir(), 'elemta-stack-'))
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  for (const file of listed.split('\0').filter(Boolean)) {
    mkdirSync(join(directory, dirname(file)), { recursive: true })
    cpSync(join(ROOT, file), join(directory, file), { force: true, verbatimSymlinks: true })
  }
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'))

  function run(program: string, ...args: readonly string[]): Promise<Output> {
    const options = { cwd: directory, env: environment, maxBuffer: 2 ** 28 }
    return new Promise(resolve => {
      execFile(program, args, options, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code ?? 1), text: `${stdout}${stderr}` })
      })
    })
  }
  async function compose(...args: readonly string[]): Promise<string> {
    const { code, text } = await run('docker-compose', '-f', FILE, ...args)
    if (code !== 0) throw new Error(`docker-compose ${args.join(' ')}: ${text}`)
    return text
  }
  return {
    run,
    compose,
    elemta: (...args) => compose('exec', '-T', 'upkeep', 'node', 'bin/elemta.ts', ...args),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  }
}

export type Container = Readonly<{
  Id: string
  State: string
  Status: string
  Labels: Readonly<Record<string, string>>
}>

/** Service to its container. */
export async function containersOf(): Promise<ReadonlyMap<string, Container>> {
  const listed = JSON.parse(await podman('ps', '--all', '--format', 'json')) as readonly Container[]
  return new Map(listed.map(container => [container.Labels['com.docker.compose.service'] ?? '', container]))
}

/** Subjects of what the sink has, the newest first. */
export async function deliveredSubjects(): Promise<readonly string[]> {
  const answer = await fetch('http://127.0.0.1:8025/api/v1/messages?limit=1000')
  const { messages } = (await answer.json()) as { messages: readonly { Subject: string }[] }
  return messages.map(({ Subject }) => Subject)
}

/** Octets that the processes of a container have to themselves, shared pages by their share (PSS). */
export function memoryOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const [, kilobytes = '0'] = /^Pss:\s+(\d+)/m.exec(told(pid, 'smaps_rollup')) ?? []
    return sum + Number(kilobytes) * 1024
  }, 0)
}

/** What the emulator's stand-in has and its image has not: what gives each request to the emulator that it is for. */
export function isStandIn(pid: number): boolean {
  return told(pid, 'cmdline').includes('aws-front.mjs')
}

/** Nothing of a process that has ended meanwhile, as those of health checks do. */
function told(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (['ENOENT', 'ESRCH'].includes(code)) return ''
    throw error
  }
}
