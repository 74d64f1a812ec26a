// Changes the users file as a whole: written beside it, synced, then renamed over it, so that a reader meets the old
// file or the new one. The new file is made exclusively, which keeps two editors from undoing each other's work.
// Owner and mode stay as they were, but others never read it; a new file is 0600 and belongs to its folder's owner.
// Throws; the old file is then untouched.
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { EXIT, ExitError } from '../platform/exit.ts'
import { parseUsers } from './users-lines.ts'

/** `change` gets the text ('' for a new file) and returns the new one; the result is checked before it counts. */
export function editUsersFile(path: string, change: (text: string) => string): void {
  mkdirSync(dirname(path), { recursive: true })
  const file = existing(path) ? realpathSync(path) : path
  const next = `${file}.new`
  const fd = openNew(next)
  try {
    const before = existing(file)
    const text = change(before === undefined ? '' : readFileSync(file, 'utf8'))
    parseUsers(text, file)
    setOwner(fd, before ?? { ...statSync(dirname(file)), mode: 0o600 })
    writeFileSync(fd, text)
    fsyncSync(fd)
    renameSync(next, file)
  } catch (error) {
    rmSync(next, { force: true })
    throw error
  } finally {
    closeSync(fd)
  }
  syncFolder(dirname(file))
}

type Owned = Readonly<{ uid: number; gid: number; mode: number }>

function existing(path: string): Owned | undefined {
  return statSync(path, { throwIfNoEntry: false })
}

function openNew(next: string): number {
  try {
    return openSync(next, 'wx', 0o600)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    throw new ExitError(
      EXIT.unavailable,
      `${next} is there: somebody else is changing the users, or was stopped in the middle; then remove it`,
    )
  }
}

/** When root runs the command, the account that the gateway runs as must be able to read the file afterwards. */
function setOwner(fd: number, { uid, gid, mode }: Owned): void {
  const own = fstatSync(fd)
  if (own.uid === 0 && (own.uid !== uid || own.gid !== gid)) fchownSync(fd, uid, gid)
  fchmodSync(fd, mode & 0o660)
}

function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
