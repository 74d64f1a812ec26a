// Where a daemon's files live. What we write (configuration, log) belongs to us and the daemon only reads it;
// what the daemon writes is in directories of its own: so a broken-in daemon cannot lead us astray by a symlink.
// When we are root, the daemon's account must be able to get there; where it cannot (a data directory that is closed to
// others, a project below /root), the files go below /var/lib/elemta instead of opening what is closed for a reason.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, chownSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Account } from './program.ts'

const FALLBACK = '/var/lib/elemta'

/** Makes the daemon's home `<dir>/<name>` and returns its full path; elsewhere when `account` could not reach it. */
export function makeHome(dir: string, name: string, account: Account | undefined): string {
  const wanted = join(resolve(dir), name)
  mkdirSync(wanted, { recursive: true, mode: 0o755 })
  if (!account || canReach(account, wanted)) return wanted
  removeEmpty(wanted, resolve(dir))
  const elsewhere = join(FALLBACK, pathHash(resolve(dir)), name)
  mkdirSync(elsewhere, { recursive: true, mode: 0o755 })
  return elsewhere
}

/** A name for this path that is short, the same every time, and different for every data directory. */
export function pathHash(path: string): string {
  return createHash('sha256').update(path).digest('hex').slice(0, 12)
}

/** A directory that the daemon itself may write to, and nobody else. */
export function makeOwnDirectory(path: string, account: Account | undefined): string {
  mkdirSync(path, { recursive: true })
  chmodSync(path, 0o700)
  if (account) chownSync(path, account.uid, account.gid)
  return path
}

/** A configuration file: ours to write, the daemon's to read, nobody else's: some hold a password. */
export function writeConfiguration(path: string, text: string, account: Account | undefined): string {
  writeFileSync(path, text, { mode: 0o640 })
  chmodSync(path, 0o640)
  if (account) chownSync(path, 0, account.gid)
  return path
}

function removeEmpty(...directories: string[]): void {
  for (const directory of directories) {
    try {
      rmdirSync(directory)
    } catch {
      return // not empty: of a time when it could be reached
    }
  }
}

function canReach(account: Account, path: string): boolean {
  const as = [`--reuid=${account.uid}`, `--regid=${account.gid}`, '--clear-groups']
  return spawnSync('setpriv', [...as, 'test', '-x', path]).status === 0
}
