// A whole gateway for the pipeline stories: the real program as a child process with a configuration and a data
// directory of its own, ports chosen by the system, and the questions that the stories ask it.
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { stringify } from 'yaml'
import { openHomeReadOnly } from '../../local/home.ts'
import type { ReadOnlyBackends } from '../../src/backends.ts'
import type { MessageRecord, RecipientState } from '../../src/mail/record.ts'
import { loadConfig } from '../../src/platform/config-load.ts'
import { type Ledger, readLedger } from '../../src/spool/ledger.ts'
import { formatTrace } from '../../src/spool/trace.ts'
import { elemta, type LogLine, type Program, type RunOptions, startProgram } from './program.ts'

export type GatewayOptions = RunOptions &
  Readonly<{
    /** Merged over the defaults of the stories, key by key. */
    config?: Record<string, unknown>
    /** Only these stages, of `ingress,scan,delivery`. */
    roles?: string
    /** A name of src/platform/crash-point.ts. */
    crashAt?: string
    /** Use this directory (of an earlier gateway) instead of a fresh one. */
    directory?: string
  }>

export type Gateway = Pick<Program, 'log' | 'logged' | 'errors' | 'ended'> &
  Readonly<{
    directory: string
    configFile: string
    maildirPath: string
    pid: number
    /** Of the first listener. */
    port: number
    /** Of all listeners, in their order. */
    ports: readonly number[]
    opsPort: number
    record(queueId: string): Promise<MessageRecord | undefined>
    /** The one message from or to this address. */
    only(address: string): Promise<MessageRecord>
    /** Resolves with the record once every recipient is in one of these states; rejects with the trace when not. */
    settled(queueId: string, ...states: RecipientState[]): Promise<MessageRecord>
    ledger(): Promise<Ledger>
    /** What was delivered to the maildir: file contents. */
    maildir(): Promise<Buffer[]>
    /** One sample of /metrics by its name with labels, as it is written there; NaN when it is not there. */
    metric(name: string): Promise<number>
    readyz(): Promise<{ status: number; body: { ready: boolean; checks: { name: string; state: string }[] } }>
    /** Another command on the same configuration. */
    elemta(...args: string[]): ReturnType<typeof elemta>
    stop(signal?: NodeJS.Signals): Promise<number | string>
    /** Kills it and removes the directory. */
    [Symbol.asyncDispose](): Promise<void>
  }>

/** Between two looks at a record, in milliseconds. */
const LOOK_INTERVAL = 10
/** A story that waits longer fails with the trace, instead of with its own time-out. */
const PATIENCE = 17_000

export function temporaryDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'elemta-story-'))
}

/** Starts a gateway and resolves when it is ready; rejects with its output when it is not. */
export async function startGateway(options: GatewayOptions = {}): Promise<Gateway> {
  const directory = options.directory ?? (await temporaryDirectory())
  const configFile = await writeConfig(directory, options.config)
  const started = loadConfig(configFile) // what is read later may be a file for a reload
  const env = { ...options.env, ...(options.crashAt ? { ELEMTA_CRASH_AT: options.crashAt } : {}) }
  const program = startProgram(['serve', '--config', configFile, ...(options.roles ? ['--role', options.roles] : [])], {
    ...options,
    env,
  })
  const ready = (await program.log(line => line.event === 'ready')) as LogLine & {
    smtp: { port: number }[]
    ops: { port: number }
  }
  const url = (path: string) => `http://127.0.0.1:${ready.ops.port}${path}`
  const read = async <T>(use: (reader: ReadOnlyBackends) => Promise<T>): Promise<T> => {
    const reader = await openHomeReadOnly(started, Date.now)
    try {
      return await use(reader)
    } finally {
      reader.close()
    }
  }
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    const { process } = program
    if (process.exitCode === null && process.signalCode === null) process.kill(signal)
    return program.ended
  }
  const maildirPath = join(directory, 'maildir')
  return {
    ...program,
    directory,
    configFile,
    maildirPath,
    pid: program.process.pid!,
    port: ready.smtp[0]!.port,
    ports: ready.smtp.map(({ port }) => port),
    opsPort: ready.ops.port,
    record: queueId => read(({ records }) => records.get(queueId)),
    only: address =>
      read(async ({ records }) => {
        const [record, ...others] = await records.find({ address, limit: 2 })
        if (record === undefined || others.length > 0) throw new Error(`${address} has no message, or several`)
        return record
      }),
    settled: (queueId, ...states) =>
      read(async ({ records }) => {
        for (const started = performance.now(); ; await sleep(LOOK_INTERVAL)) {
          const record = await records.get(queueId)
          if (record === undefined) throw new Error(`there is no record of ${queueId || 'a message that was refused'}`)
          if (record.recipients.every(({ state }) => states.includes(state))) return record
          if (performance.now() - started > PATIENCE) {
            throw new Error(`still not settled:\n${formatTrace(record)}\n${program.lastWords()}`)
          }
        }
      }),
    ledger: () => read(readLedger),
    maildir: () => maildirContents(maildirPath),
    async metric(name) {
      const text = await (await fetch(url('/metrics'))).text()
      const line = text.split('\n').find(candidate => candidate.startsWith(`${name} `))
      return line === undefined ? Number.NaN : Number(line.slice(name.length + 1))
    },
    async readyz() {
      const response = await fetch(url('/readyz'))
      return { status: response.status, body: (await response.json()) as { ready: boolean; checks: [] } }
    },
    elemta: (...args) => elemta(...args, '--config', configFile),
    stop,
    async [Symbol.asyncDispose]() {
      await stop('SIGKILL')
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** Writes the configuration of a story into its directory and returns the file's name. */
export async function writeConfig(directory: string, changes: Record<string, unknown> = {}): Promise<string> {
  const config = {
    hostname: 'mx.example.com',
    data_dir: join(directory, 'data'),
    listeners: [{ address: '127.0.0.1', port: 0, mode: 'mx' }],
    ops: { address: '127.0.0.1', port: 0 },
    relay: { domains: ['example.com'], networks: [] },
    routes: [{ domains: ['*'], to: `maildir:${join(directory, 'maildir')}` }],
    plugins: [],
    ...changes,
  }
  const file = join(directory, 'elemta.yaml')
  // A gateway that runs never reads half of it.
  await writeFile(`${file}.new`, stringify(config))
  await rename(`${file}.new`, file)
  return file
}

/** Every file in `new`, in the order of their names. */
export async function maildirContents(maildir: string): Promise<Buffer[]> {
  const names = await readdir(join(maildir, 'new')).catch(() => [])
  return Promise.all(names.sort().map(name => readFile(join(maildir, 'new', name))))
}
