// What no gateway does to its own spool: rows taken out of it, and times turned back, through a second connection.
import { join } from 'node:path'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'

const JOBS = ['scan_jobs', 'delivery_jobs', 'deferrals'] as const

export type Taken = Readonly<{ table: string; row: Record<string, SQLInputValue> }>

/** Takes the rows of this message out of tables of jobs, or of contents, and returns them. */
export function takeRows(dataDir: string, what: 'jobs' | 'content', queueId: string): Taken[] {
  return withSpool(dataDir, db => {
    if (what === 'content') return take(db, 'contents', 'queue_id = ?', queueId)
    return JOBS.flatMap(table => take(db, table, `${table === 'deferrals' ? 'job_id' : 'id'} LIKE ? || '/%'`, queueId))
  })
}

export function putBack(dataDir: string, taken: readonly Taken[]): void {
  withSpool(dataDir, db => {
    for (const { table, row } of taken) {
      const names = Object.keys(row)
      const places = names.map(() => '?').join(', ')
      db.prepare(`INSERT INTO ${table} (${names.join(', ')}) VALUES (${places})`).run(...Object.values(row))
    }
  })
}

/** All mail that was accepted less than half this time ago was accepted so many milliseconds earlier. */
export function makeOlder(dataDir: string, milliseconds: number): void {
  withSpool(dataDir, db =>
    db
      .prepare(
        `UPDATE messages SET accepted_at = accepted_at - :by,
          doc = json_set(doc, '$.acceptedAt', accepted_at - :by) WHERE accepted_at > :since`,
      )
      .run({ by: milliseconds, since: Date.now() - milliseconds / 2 }),
  )
}

function take(db: DatabaseSync, table: string, where: string, value: string): Taken[] {
  const rows = db.prepare(`DELETE FROM ${table} WHERE ${where} RETURNING *`).all(value)
  return rows.map(row => ({ table, row: row as Record<string, SQLInputValue> }))
}

function withSpool<T>(dataDir: string, act: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(join(dataDir, 'elemta.sqlite'), { timeout: 10_000 })
  try {
    return act(db)
  } finally {
    db.close()
  }
}
