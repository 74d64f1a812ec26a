// The right of one process to a data directory: a lock on a file of its own that dies with the process, however it
// ends. SQLite's lock, because it also keeps out a second opening in the same process.
import { closeSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { SpoolError } from './spool-error.ts'

const SQLITE_BUSY = 5

/** Takes the lock and returns what gives it back. Throws a SpoolError naming the directory when it is taken. */
export function lockDirectory(directory: string): () => void {
  const path = `${directory}/elemta.lock`
  closeSync(openSync(path, 'a', 0o600))
  const db = new DatabaseSync(path, { timeout: 0 })
  try {
    db.exec('PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch (error) {
    db.close()
    if ((error as { errcode?: number }).errcode !== SQLITE_BUSY) throw error
    throw new SpoolError(
      directory,
      'another Elemta process works on this data directory',
      'Stop that one first, or choose another data directory',
      { cause: error },
    )
  }
  return () => db.close()
}
