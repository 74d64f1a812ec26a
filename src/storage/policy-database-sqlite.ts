// The file of the policy store: made, looked at, and set aside when it is damaged. It is apart from the spool's, so
// that its churn never adds to the spool's syncs, and it may be lost: what it holds costs a delay, never mail.
// So a damaged file, or one of another version, is never in the way of a gateway: it is renamed and begun anew.
import { chownSync, closeSync, existsSync, linkSync, openSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

const SCHEMA_VERSION = 1

/** A full check reads every page; beyond this size it would keep a restart waiting (about a second per GiB). */
const FULL_CHECK_BYTES = 1024 ** 3

// The totals let a million entries be counted by looking at those that have expired only.
const SCHEMA = `
  CREATE TABLE entries (
    space TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (space, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX entries_by_end ON entries (space, expires_at);
  CREATE TABLE totals (space TEXT NOT NULL PRIMARY KEY, entries INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TRIGGER count_added AFTER INSERT ON entries BEGIN
    INSERT INTO totals VALUES (new.space, 1) ON CONFLICT (space) DO UPDATE SET entries = entries + 1;
  END;
  CREATE TRIGGER count_removed AFTER DELETE ON entries BEGIN
    UPDATE totals SET entries = entries - 1 WHERE space = old.space;
  END;
  PRAGMA user_version = ${SCHEMA_VERSION};`

const FILES = ['', '-wal', '-shm']

/** Makes the database when there is none; of several processes that do so at once, one wins and the others use its. */
export function createPolicyDatabase(path: string): void {
  if (existsSync(path) && statSync(path).size > 0) return
  // The log of a database that is gone would be played into the new one.
  for (const suffix of FILES) rmSync(path + suffix, { force: true })
  const unfinished = `${path}-unfinished-${process.pid}`
  for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(unfinished + suffix, { force: true })
  closeSync(openSync(unfinished, 'wx', 0o600))
  const db = new DatabaseSync(unfinished)
  try {
    db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; BEGIN; ${SCHEMA}; COMMIT`)
  } finally {
    db.close()
  }
  try {
    // A command that root runs must not make what the gateway cannot open.
    const { uid, gid } = statSync(dirname(path))
    if (process.getuid?.() === 0) chownSync(unfinished, uid, gid)
    linkSync(unfinished, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    rmSync(unfinished)
  }
}

/** What is wrong with the file, or undefined; `thorough` looks at every page. Throws when it cannot be read at all. */
export function policyDatabaseDamage(path: string, { thorough }: { thorough: boolean }): string | undefined {
  try {
    const db = new DatabaseSync(path, { readOnly: true, timeout: 5000 })
    try {
      const version = Number(db.prepare('PRAGMA user_version').get()?.user_version)
      if (version !== SCHEMA_VERSION) return `schema ${version}, this program knows ${SCHEMA_VERSION}`
      db.prepare('SELECT entries FROM totals LIMIT 1').get()
      if (!thorough || statSync(path).size > FULL_CHECK_BYTES) return undefined
      const [finding] = Object.values(db.prepare('PRAGMA quick_check(1)').get() ?? {})
      return finding === 'ok' ? undefined : String(finding).replace(/^\*\*\*.*\n/, '')
    } finally {
      db.close()
    }
  } catch (error) {
    const { errcode = 0, message } = error as Error & { errcode?: number }
    if (!DAMAGE.has(errcode & 0xff)) throw error
    return message
  }
}

/** Primary result codes (sqlite.org/rescode.html): SQLITE_ERROR (a table is missing), SQLITE_CORRUPT, SQLITE_NOTADB. */
const DAMAGE = new Set([1, 11, 26])

/** Renames the database with what belongs to it; returns its new name. */
export function setPolicyDatabaseAside(path: string, now: number): string {
  const aside = path.replace(/(\.db)?$/, `-damaged-${now}.db`)
  for (const suffix of FILES) if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix)
  return aside
}
