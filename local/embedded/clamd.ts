// clamd as a child, with a private configuration: everything that it cannot look into (encrypted, macros, too deep,
// too big) is reported instead of passed over in silence. Signatures are freshclam's where this machine has some,
// else a built-in set that knows EICAR alone: good for a first run and for tests, no protection.
import { existsSync, lstatSync, mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { Log } from '../../src/platform/log.ts'
import { type ChildStatus, startChild } from './child.ts'
import { makeHome, makeOwnDirectory, pathHash, writeConfiguration } from './home.ts'
import { freePort } from './port.ts'
import { clamdAnswers } from './probe.ts'
import { type Account, accountFor, findProgram } from './program.ts'

export type Clamd = {
  host: string
  port: number
  testSignatures: boolean // the built-in set: only EICAR is found
  status(): ChildStatus[]
  stop(): Promise<void>
}

export type ClamdOptions = {
  dir: string // clamd's files go to `<dir>/clamd`
  streamMaxBytes: number // the longest stream it takes; a longer one is an error, never clean
  port?: number
  log: Log
  signal?: AbortSignal | undefined // gives the start up
  searchPath?: string | undefined
}

const OFFICIAL = '/var/lib/clamav'
const MEMORY = '/dev/shm' // unpacking there is half as fast again as on a disk
const IN_MEMORY = 'elemta-clamd' // then -<our process id>-<hash>
const MEBIBYTE = 1024 * 1024

/** Starts clamd; resolves once it answers. Throws `MissingProgram` or `ChildFailed`. */
export async function startClamd(options: ClamdOptions): Promise<Clamd> {
  const { dir, streamMaxBytes, port, log, signal, searchPath } = options
  const program = findProgram('clamd', 'clamav-daemon', searchPath)
  const account = accountFor('clamav')
  const home = makeHome(dir, 'clamd', account)
  const official = hasOfficialSignatures()
  const listen = port ?? (await freePort())
  const unpacking = makeUnpackingDirectory(home, streamMaxBytes, account)
  const configuration = clamdConfiguration({
    port: listen,
    streamMaxBytes,
    databaseDirectory: official ? OFFICIAL : writeTestSignatures(home),
    temporaryDirectory: unpacking,
  })
  const removeUnpacking = () => rmSync(unpacking, { recursive: true, force: true })
  const child = await startChild({
    name: 'clamd',
    program,
    args: ['--config-file', writeConfiguration(join(home, 'clamd.conf'), configuration, account)],
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
  return {
    host: '127.0.0.1',
    port: listen,
    testSignatures: !official,
    status: () => [child.status()],
    stop: () => child.stop().then(removeUnpacking),
  }
}

/** Whether freshclam has been here. bytecode alone finds nothing. */
export function hasOfficialSignatures(): boolean {
  return ['main', 'daily'].some(name => ['cvd', 'cld'].some(kind => existsSync(join(OFFICIAL, `${name}.${kind}`))))
}

type Settings = { port: number; streamMaxBytes: number; databaseDirectory: string; temporaryDirectory: string }

function clamdConfiguration({ port, streamMaxBytes, databaseDirectory, temporaryDirectory }: Settings): string {
  // One part unpacked may be bigger than the message, all of them together more so; beyond that: a finding.
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
ConcurrentDatabaseReload no
AlertEncrypted yes
AlertOLE2Macros yes
AlertExceedsMax yes
`
}

/** The built-in signatures. Put together here, so that no file of ours sets off a virus scanner. */
function writeTestSignatures(home: string): string {
  const directory = join(home, 'test-signatures')
  mkdirSync(directory, { recursive: true })
  const eicar = ['X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR', 'STANDARD', 'ANTIVIRUS', 'TEST', 'FILE!$H+H*'].join('-')
  const signature = `Eicar-Test-Signature:0:*:${Buffer.from(eicar, 'latin1').toString('hex')}\n`
  writeFileSync(join(directory, 'eicar.ndb'), signature)
  return directory
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
