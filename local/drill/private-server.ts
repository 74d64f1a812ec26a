// What a private Prometheus and a private Alertmanager have in common: files given by name, written into a home of their
// own, a port of 127.0.0.1, readiness by /-/ready and a reload by POST /-/reload.
// A reload that the server refuses is an error with its own words; it then goes on with what it had.
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Log } from '../../src/platform/log.ts'
import { type Child, startChild } from '../embedded/child.ts'
import { makeHome, makeOwnDirectory, writeConfiguration } from '../embedded/home.ts'
import { freePort } from '../embedded/port.ts'
import { type Account, accountFor, findProgram } from '../embedded/program.ts'

/** Contents by path, relative to the server's configuration file. */
export type Files = Readonly<Record<string, string>>

export type PrivateServerOptions = {
  dir: string // the files go to `<dir>/<name>`; what is there from an earlier start is kept
  files: Files
  port?: number | undefined
  flags?: readonly string[] | undefined // more of them for the command line
  name?: string | undefined // where several of one kind share a `dir`
  log: Log
  signal?: AbortSignal | undefined // gives the start up
  searchPath?: string | undefined
}

export type PrivateServer = Child & {
  url: string // http://127.0.0.1:<port>
  port: number
  home: string // the files are here, the server's own data below `data`
  /** Writes these files over those of the same name and makes the server read all anew. Throws when it refuses. */
  reload(files?: Files): Promise<void>
}

type Kind = {
  name: string
  program: string
  debianPackages: string
  configuration: string // which of the files is the server's own
  args(where: { configuration: string; data: string; listen: string }): string[]
}

/** Starts the server; resolves once it is ready. Throws `MissingProgram` or `ChildFailed`. */
export async function startPrivateServer(kind: Kind, options: PrivateServerOptions): Promise<PrivateServer> {
  const { dir, files, name = kind.name, flags = [], log, signal, searchPath } = options
  const program = findProgram(kind.program, kind.debianPackages, searchPath)
  const account = accountFor('prometheus')
  const home = makeHome(dir, name, account)
  writeFiles(home, files, account)
  const port = options.port ?? (await freePort())
  const url = `http://127.0.0.1:${port}`
  const child = await startChild({
    name,
    program,
    args: [
      ...kind.args({
        configuration: join(home, kind.configuration),
        data: makeOwnDirectory(join(home, 'data'), account),
        listen: `127.0.0.1:${port}`,
      }),
      ...flags,
    ],
    home,
    account,
    probe: () => isReady(url),
    readyWithin: 60_000,
    signal,
    log,
  })
  return {
    ...child,
    url,
    port,
    home,
    async reload(changed = {}) {
      writeFiles(home, changed, account)
      const response = await fetch(`${url}/-/reload`, { method: 'POST' })
      if (!response.ok) throw new Error(`${name} refused its files: ${(await response.text()).trim()}`)
    },
  }
}

function writeFiles(home: string, files: Files, account: Account | undefined): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(home, path)), { recursive: true, mode: 0o755 })
    writeConfiguration(join(home, path), text, account)
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/-/ready`, { signal: AbortSignal.timeout(2_000) })).ok
  } catch {
    return false
  }
}
