// clamd as a child, with a private configuration: everything that it cannot look into (encrypted, macros, too deep,
// too big) is reported instead of passed over in silence. Its signatures: clamav-signatures.ts; with `updates`,
// freshclam keeps them up to date beside it. Without freshclam it starts all the same and `without` says why.
import { existsSync, lstatSync, mkdirSync, readdirSync, rmSync, statfsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { Log } from '../../src/platform/log.ts'
import { type ChildStatus, startChild } from './child.ts'
import { findSignatures, hasSignatures } from './clamav-signatures.ts'
import { type Freshclam, startFreshclam, type UpdateSettings, type UpdateStatus } from './freshclam.ts'
import { makeHome, makeOwnDirectory, pathHash, writeConfiguration } from './home.ts'
import { freePort } from './port.ts'
import { clamdAnswers } from './probe.ts'
import { type Account, accountFor, findProgram } from './program.ts'

export type Clamd = {
  host: string
  port: number
  testSignatures(): boolean // the built-in set: only EICAR is found
  updates(): UpdateStatus | undefined // undefined: not ours to do
  without: Error[] // why freshclam is not there
  status(): ChildStatus[]
  stop(): Promise<void>
}

export type ClamdOptions = {
  dir: string // clamd's files go to `<dir>/clamd`
  streamMaxBytes: number // the longest stream it takes; a longer one is an error, never clean
  port?: number
  updates?: UpdateSettings | undefined
  log: Log
  signal?: AbortSignal | undefined // gives the start up
  searchPath?: string | undefined
}

const MEMORY = '/dev/shm' // unpacking there is half as fast again as on a disk
const IN_MEMORY = 'elemta-clamd' // then -<our process id>-<hash>
const MEBIBYTE = 1024 * 1024
/** Octets that have to be free for two sets of the official signatures at once. */
const ROOM_FOR_TWO = 3 * 1024 * MEBIBYTE

/** Starts clamd; resolves once it answers. Throws `MissingProgram` or `ChildFailed`. */
export async function startClamd(options: ClamdOptions): Promise<Clamd> {
  const { dir, streamMaxBytes, port, updates, log, signal, searchPath } = options
  const program = findProgram('clamd', 'clamav-daemon', searchPath)
  const account = accountFor('clamav')
  const home = makeHome(dir, 'clamd', account)
  const signatures = findSignatures(home, account)
  const listen = port ?? (await freePort())
  const unpacking = makeUnpackingDirectory(home, streamMaxBytes, account)
  const settings = clamdConfiguration({
    port: listen,
    streamMaxBytes,
    databaseDirectory: signatures.directory,
    temporaryDirectory: unpacking,
  })
  const configuration = writeConfiguration(join(home, 'clamd.conf'), settings, account)
  const removeUnpacking = () => rmSync(unpacking, { recursive: true, force: true })
  const child = await startChild({
    name: 'clamd',
    program,
    args: ['--config-file', configuration],
    home,
    account,
    probe: () => clamdAnswers('127.0.0.1', listen),
    readyWithin: 300_000, // the official signatures take half a minute on a slow machine
    signal,
    log,
  }).catch(error => {
    removeUnpacking()
    throw error
  })
  let freshclam: Freshclam | undefined
  const without: Error[] = []
  if (updates !== undefined && signatures.writable) {
    try {
      const clamdConfiguration = configuration
      freshclam = startFreshclam({ home, signatures, clamdConfiguration, account, updates, log, searchPath })
    } catch (error) {
      without.push(error as Error)
    }
  }
  return {
    host: '127.0.0.1',
    port: listen,
    testSignatures: () => !hasSignatures(signatures.directory),
    updates: () => freshclam?.status(),
    without,
    status: () => [child.status()],
    async stop() {
      await Promise.all([freshclam?.stop(), child.stop()])
      removeUnpacking()
    },
  }
}

type Settings = { port: number; streamMaxBytes: number; databaseDirectory: string; temporaryDirectory: string }

function clamdConfiguration({ port, streamMaxBytes, databaseDirectory, temporaryDirectory }: Settings): string {
  // One part unpacked may be bigger than the message, all of them together more so; beyond that: a finding.
  // Newer signatures are loaded beside the old ones, without a pause, where there is room for both; else scans wait for
  // half a minute, and those that cannot are deferred.
  const maxFileSize = Math.max(100 * MEBIBYTE, streamMaxBytes)
  return `Foreground yes
LogTime yes
DatabaseDirectory ${databaseDirectory}
TemporaryDirectory ${temporaryDirectory}
TCPAddr 127.0.0.1
TCPSocket ${port}
StreamMaxLength ${streamMaxBytes}
MaxFileSize ${maxFileSize}
MaxScanSize ${4 * maxFileSize}
MaxThreads ${Math.max(4, 2 * availableParallelism())}
ConcurrentDatabaseReload ${process.availableMemory() >= ROOM_FOR_TWO ? 'yes' : 'no'}
AlertEncrypted yes
AlertOLE2Macros yes
AlertExceedsMax yes
`
}

/** Where clamd unpacks: in memory when there is ample room, else beside its other files. Empty. */
function makeUnpackingDirectory(home: string, streamMaxBytes: number, account: Account | undefined): string {
  removeUnpackingOfTheDead()
  const inMemory = join(MEMORY, `${IN_MEMORY}-${process.pid}-${pathHash(home)}`)
  const onDisk = join(home, 'unpacking')
  for (const directory of hasRoom(streamMaxBytes) ? [inMemory, onDisk] : [onDisk]) {
    try {
      rmSync(directory, { recursive: true, force: true })
      mkdirSync(directory, { mode: 0o700 }) // fails when it is there: then it is another user's
      if (lstatSync(directory).isDirectory()) return makeOwnDirectory(directory, account)
    } catch (error) {
      if (directory === onDisk) throw error
    }
  }
  return onDisk
}

/** A gateway that was killed could not tidy up; its name tells whose the directory was. */
function removeUnpackingOfTheDead(): void {
  if (!existsSync(MEMORY)) return
  for (const name of readdirSync(MEMORY)) {
    const [, owner] = new RegExp(`^${IN_MEMORY}-(\\d+)-`).exec(name) ?? []
    if (owner === undefined || existsSync(`/proc/${owner}`)) continue
    try {
      rmSync(join(MEMORY, name), { recursive: true, force: true })
    } catch {
      // Another user's: theirs to remove.
    }
  }
}

function hasRoom(streamMaxBytes: number): boolean {
  try {
    const { bavail, bsize } = statfsSync(MEMORY)
    return bavail * bsize >= Math.max(512 * MEBIBYTE, 16 * streamMaxBytes)
  } catch {
    return false
  }
}
