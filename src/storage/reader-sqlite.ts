// The connection that reads, on the caller's thread: synchronous, never blocks the writer and is never blocked by it
// (WAL). It sees everything that was committed before the read, so everything that a writer's promise has told of.
// Reads made in one go, without awaiting in between, see one and the same state: that lets the ledger balance on a
// spool that is at work.
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { SqlRow, SqlValue } from './writer-thread-sqlite.ts'

export type Reader = Readonly<{
  all(sql: string, ...params: SqlValue[]): SqlRow[]
  get(sql: string, ...params: SqlValue[]): SqlRow | undefined
  close(): void
}>

/** Opens an existing database for reading. */
export function openReader(path: string): Reader {
  const db = new DatabaseSync(path, { readOnly: true, timeout: 5000 })
  const statements = new Map<string, StatementSync>()

  function prepare(sql: string): StatementSync {
    let statement = statements.get(sql)
    if (statement === undefined) {
      statement = db.prepare(sql)
      statements.set(sql, statement)
    }
    return statement
  }

  /** A state stays in view until the running code comes to its end. */
  function holdState() {
    if (db.isTransaction) return
    prepare('BEGIN').run()
    queueMicrotask(() => {
      if (db.isOpen && db.isTransaction) prepare('COMMIT').run()
    })
  }

  return {
    all(sql, ...params) {
      holdState()
      return prepare(sql).all(...params)
    },
    get(sql, ...params) {
      holdState()
      return prepare(sql).get(...params)
    },
    close() {
      if (db.isOpen) db.close()
    },
  }
}
