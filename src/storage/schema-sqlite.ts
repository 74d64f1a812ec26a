// The tables of the embedded home, and the look at the database before anything is written to it.
// A database that is damaged, newer than this program or not ours is refused with a SpoolError and left as it is,
// byte for byte: it may be all that is left of somebody's mail.
import { closeSync, existsSync, openSync, renameSync, rmSync, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { isFinal, RECIPIENT_STATES } from '../mail/record.ts'
import { FROM_1_TO_2, LISTED_INDEXES } from './migration-2-sqlite.ts'
import { COUNTERS, FROM_2_TO_3, openJobsIndex } from './migration-3-sqlite.ts'
import { FROM_3_TO_4 } from './migration-4-sqlite.ts'
import { FROM_4_TO_5 } from './migration-5-sqlite.ts'
import { SpoolError } from './spool-error.ts'

const SCHEMA_VERSION = 5

/** A full check reads every page; beyond this size it would keep a restart waiting (about a second per GiB). */
const FULL_CHECK_BYTES = 1024 ** 3

const quote = (texts: readonly string[]) => texts.map(text => `'${text}'`).join(', ')
const FINAL_STATES = RECIPIENT_STATES.filter(isFinal)

/** SQL for "nothing more will happen to this recipient"; the index on open recipients is used with exactly OPEN. */
export const FINAL = `state IN (${quote(FINAL_STATES)})`
export const OPEN = `state IN (${quote(RECIPIENT_STATES.filter(state => !isFinal(state)))})`

const jobTable = (name: string) => `
  CREATE TABLE ${name} (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    enqueued_at INTEGER NOT NULL,
    visible_at INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    token TEXT,
    recipients INTEGER NOT NULL,
    dead INTEGER NOT NULL DEFAULT 0,
    reason TEXT,
    doc TEXT NOT NULL,
    priority INTEGER NOT NULL DEFAULT 0,
    begun INTEGER NOT NULL DEFAULT 1
  ) STRICT;
  ${openJobsIndex(name)}
  CREATE INDEX ${name}_dead ON ${name} (recipients) WHERE dead = 1;`

// Octets of a content are in the same database as its record and job: one sync for all three. `data` is NULL where
// they are in a file. Totals count in recipients and outlive the records.
const SCHEMA = `
  CREATE TABLE contents (queue_id TEXT NOT NULL PRIMARY KEY, size INTEGER NOT NULL, data BLOB) STRICT;
  CREATE TABLE messages (
    queue_id TEXT NOT NULL PRIMARY KEY,
    sender TEXT NOT NULL COLLATE NOCASE,
    message_id TEXT,
    accepted_at INTEGER NOT NULL,
    doc TEXT NOT NULL,
    accepted TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX messages_by_sender ON messages (sender);
  CREATE INDEX messages_by_message_id ON messages (message_id) WHERE message_id IS NOT NULL;
  CREATE TABLE recipients (
    queue_id TEXT NOT NULL,
    recipient TEXT NOT NULL,
    state TEXT NOT NULL,
    sending TEXT,
    PRIMARY KEY (queue_id, recipient)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX recipients_by_address ON recipients (recipient COLLATE NOCASE);
  CREATE INDEX recipients_open ON recipients (state) WHERE ${OPEN};
  CREATE TABLE totals (name TEXT NOT NULL PRIMARY KEY, recipients INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO totals VALUES ('accepted', 0), ${FINAL_STATES.map(state => `('${state}', 0)`).join(', ')};
  CREATE TRIGGER count_end AFTER UPDATE OF state ON recipients WHEN new.${FINAL} BEGIN
    UPDATE totals SET recipients = recipients + 1 WHERE name = new.state;
  END;
  CREATE TABLE events (seq INTEGER PRIMARY KEY, queue_id TEXT NOT NULL, doc TEXT NOT NULL) STRICT;
  CREATE INDEX events_by_queue_id ON events (queue_id);
  CREATE TABLE deferrals (
    job_id TEXT NOT NULL PRIMARY KEY,
    due_at INTEGER NOT NULL,
    accepted_at INTEGER,
    recipients INTEGER NOT NULL,
    doc TEXT NOT NULL
  ) STRICT;
  CREATE INDEX deferrals_due ON deferrals (due_at);
  ${LISTED_INDEXES}
  ${COUNTERS}
  ${jobTable('scan_jobs')}
  ${jobTable('delivery_jobs')}
  PRAGMA user_version = ${SCHEMA_VERSION};`

/** True when there is a database file with something in it. */
export function databaseExists(path: string): boolean {
  return existsSync(path) && statSync(path).size > 0
}

/** Makes a database that only this user can read; a crash leaves none or all of it. Its name is for the caller to sync. */
export function createDatabase(path: string): void {
  const unfinished = `${path}-unfinished`
  for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(unfinished + suffix, { force: true })
  closeSync(openSync(unfinished, 'wx', 0o600))
  const db = new DatabaseSync(unfinished)
  try {
    db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN; ${SCHEMA}; COMMIT`)
  } finally {
    db.close()
  }
  renameSync(unfinished, path)
}

/** What leads from a version to the next one, each a transaction of its own. */
const MIGRATIONS: Readonly<Record<number, string>> = { 1: FROM_1_TO_2, 2: FROM_2_TO_3, 3: FROM_3_TO_4, 4: FROM_4_TO_5 }

/** Brings the database of an older version up to date; a crash leaves the old version or the new one. */
export function migrateDatabase(path: string): void {
  const db = new DatabaseSync(path, { timeout: 5000 })
  try {
    db.exec('PRAGMA synchronous = FULL')
    const version = () => Number(db.prepare('PRAGMA user_version').get()?.user_version)
    for (let from = version(); from < SCHEMA_VERSION; from = version()) {
      db.exec(`BEGIN IMMEDIATE; ${MIGRATIONS[from]} PRAGMA user_version = ${from + 1}; COMMIT`)
    }
  } finally {
    db.close()
  }
}

/** Throws a SpoolError unless the database can be used; `thorough` looks at every page. Writes nothing to it. */
export function checkDatabase(path: string, { thorough }: { thorough: boolean }): void {
  let damage: string
  let cause: unknown
  try {
    const db = new DatabaseSync(path, { readOnly: true, timeout: 5000 })
    try {
      const version = Number(db.prepare('PRAGMA user_version').get()?.user_version)
      if (version > SCHEMA_VERSION) throw tooNew(path, version)
      if (version < 1) throw notOurs(path)
      const check = thorough && statSync(path).size <= FULL_CHECK_BYTES ? 'quick_check(1)' : 'schema_version'
      const [finding] = Object.values(db.prepare(`PRAGMA ${check}`).get() ?? {})
      if (finding === 'ok' || typeof finding === 'number') return
      damage = String(finding).replace(/^\*\*\*.*\n/, '')
    } finally {
      db.close()
    }
  } catch (error) {
    if (error instanceof SpoolError) throw error
    cause = error
    damage = (error as Error).message
  }
  throw new SpoolError(
    path,
    `the spool's database is damaged or unreadable (${damage}); it was left as it is`,
    'Restore it from a backup, or move it aside together with its -wal and -shm files to start with an empty spool: ' +
      'the mail in it is not delivered then, so keep it',
    { cause },
  )
}

function tooNew(path: string, version: number): SpoolError {
  return new SpoolError(
    path,
    `the spool's database was written by a newer version of Elemta (schema ${version}, this one knows ${SCHEMA_VERSION})`,
    'Start that version, or choose another data directory',
  )
}

function notOurs(path: string): SpoolError {
  return new SpoolError(path, 'this database is not a spool of Elemta', 'Choose another data directory')
}
