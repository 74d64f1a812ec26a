// The policy store as one table in a database of its own. Reads are on the caller's thread, writes go to the writer's
// and checkpoints have their own: the event loop never waits for a sync or for another process's lock.
// An update is a read, the caller's change, and a write that counts only if what was read still stands; otherwise it
// begins again. That holds between processes too. Nothing is synced when a promise resolves: see the port.
import type { PolicyEntry, PolicyStore } from './policy-store.ts'
import type { Reader } from './reader-sqlite.ts'
import type { Writer } from './writer-sqlite.ts'
import type { Operation, SqlRow } from './writer-thread-sqlite.ts'

const GET = 'SELECT key, value, expires_at FROM entries WHERE space = ? AND key = ? AND expires_at > ?'
/** In place of nothing, or of what has expired. */
const ADD = `INSERT INTO entries (space, key, value, expires_at) VALUES (?, ?, ?, ?)
  ON CONFLICT (space, key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
  WHERE entries.expires_at <= ? RETURNING 1`
const REPLACE = `UPDATE entries SET value = ?, expires_at = ?
  WHERE space = ? AND key = ? AND value = ? AND expires_at = ? RETURNING 1`
const REMOVE = 'DELETE FROM entries WHERE space = ? AND key = ? RETURNING 1'
const LIST = `SELECT key, value, expires_at FROM entries
  WHERE space = ? AND key > ? AND key >= ? AND key < ? AND expires_at > ? ORDER BY key LIMIT ?`
const COUNT = `SELECT coalesce((SELECT entries FROM totals WHERE space = ?1), 0)
  - (SELECT count(*) FROM entries WHERE space = ?1 AND expires_at <= ?2) AS n`
const EXPIRE = `DELETE FROM entries WHERE space = ?1 AND key IN
  (SELECT key FROM entries WHERE space = ?1 AND expires_at <= ?2 ORDER BY expires_at LIMIT ?3) RETURNING value`

/** Sorts behind every key that begins as it does. */
const LAST = '\u{10ffff}'.repeat(4)

type Parts = Readonly<{
  /** Started with `synchronous: 'NORMAL'`. */
  writer: Writer
  reader: Reader
  checkpoints: Readonly<{ stop(): Promise<void> }>
}>

/** All of its parts end with the store. */
export function createSqlitePolicyStore({ writer, reader, checkpoints }: Parts): PolicyStore {
  // Durable, with a writer that knows NORMAL only, means: at once, without waiting for company, and without a sync.
  const write = async (operation: Operation) => (await writer.run([operation], { durable: true }))[0]!

  return {
    async get(space, key, now) {
      return entry(reader.get(GET, space, key, now))
    },

    async update(space, key, now, change) {
      for (;;) {
        const row = reader.get(GET, space, key, now)
        const wanted = change(entry(row))
        if (wanted === undefined) return entry(row)
        const { expiresAt } = wanted
        const value = JSON.stringify(wanted.value)
        const written = await write(
          row === undefined
            ? { sql: ADD, params: [space, key, value, expiresAt, now] }
            : { sql: REPLACE, params: [value, expiresAt, space, key, row.value!, row.expires_at!] },
        )
        if (written.length === 1) return { key, ...wanted }
      }
    },

    async remove(space, key) {
      return (await write({ sql: REMOVE, params: [space, key] })).length === 1
    },

    async list(space, { prefix = '', after = '', limit }, now) {
      return reader.all(LIST, space, after, prefix, prefix + LAST, now, limit).map(row => entry(row)!)
    },

    async count(space, now) {
      return Number(reader.get(COUNT, space, now)?.n)
    },

    async expire(space, now, max) {
      const removed = await write({ sql: EXPIRE, params: [space, now, max] })
      return removed.map(({ value }) => JSON.parse(String(value)))
    },

    async close() {
      await checkpoints.stop()
      reader.close()
      await writer.close()
    },
  }
}

function entry(row: SqlRow): PolicyEntry
function entry(row: SqlRow | undefined): PolicyEntry | undefined
function entry(row: SqlRow | undefined): PolicyEntry | undefined {
  if (row === undefined) return undefined
  return { key: String(row.key), value: JSON.parse(String(row.value)), expiresAt: Number(row.expires_at) }
}
