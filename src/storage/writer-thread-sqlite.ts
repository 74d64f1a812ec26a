// The thread that owns the only connection that writes. It takes a batch, runs it as one transaction (so: one sync
// for all of it) and answers, group by group, in order.
// A group that fails is rolled back alone. When the transaction itself fails, every group of the batch has failed;
// the thread lives on and works again once the cause is gone.
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import { createBatchUnpacker, type PackedBatch } from './writer-batch-sqlite.ts'

export type SqlValue = SQLInputValue
export type SqlRow = Readonly<Record<string, SQLOutputValue>>
export type Operation = Readonly<{ sql: string; params: readonly SqlValue[] }>
/** All or none of the operations in each group; `durable` when a group's caller waits for stable storage. */
export type Batch = Readonly<{ groups: readonly (readonly Operation[])[]; durable: boolean }>
export type Failure = Readonly<{ code: string; message: string }>
/** Per group: the rows of each operation, or why the group was rolled back. */
export type BatchReply = readonly (readonly (readonly SqlRow[])[] | Failure)[]

export type WriterThreadOptions = Readonly<{
  path: string
  /** What durable batches run with: FULL. The power-loss test shows with NORMAL that it can fail. */
  synchronous: 'FULL' | 'NORMAL'
  /** For tests of a full disk, in pages of 4 KiB: upper limit of the database, and of its log. */
  maxPages?: number
  checkpointPages?: number
}>

/** 32 MiB of log between checkpoints: large enough to keep them rare, small enough to be quick. */
const CHECKPOINT_PAGES = 8000
const CACHE_KIB = 32 * 1024
const BUSY_TIMEOUT = 5000

/** Primary result codes (sqlite.org/rescode.html) that have a name in the file system. */
const SQLITE_IOERR = 10
const SQLITE_FULL = 13
const SYSTEM_CODES: Readonly<Record<number, string>> = { [SQLITE_IOERR]: 'EIO', [SQLITE_FULL]: 'ENOSPC' }

function describe(error: unknown): Failure {
  const { message, errcode, code } = error as Error & { errcode?: number; code?: string }
  return { message, code: SYSTEM_CODES[(errcode ?? 0) & 0xff] ?? code ?? 'ERR_SQLITE_ERROR' }
}

function openConnection({ path, maxPages, checkpointPages = CHECKPOINT_PAGES }: WriterThreadOptions): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT, enableForeignKeyConstraints: false })
  db.exec(`PRAGMA cache_size = -${CACHE_KIB}; PRAGMA wal_autocheckpoint = ${checkpointPages}`)
  if (maxPages !== undefined) db.exec(`PRAGMA max_page_count = ${maxPages}`)
  return db
}

function createBatchRunner(db: DatabaseSync, options: WriterThreadOptions): (batch: Batch) => BatchReply {
  const statements = new Map<string, { statement: StatementSync; hasRows: boolean }>()
  const begin = db.prepare('BEGIN IMMEDIATE')
  const commit = db.prepare('COMMIT')
  const rollback = db.prepare('ROLLBACK')
  const savepoint = db.prepare('SAVEPOINT a_group')
  const release = db.prepare('RELEASE a_group')
  const rollbackGroup = db.prepare('ROLLBACK TO a_group')
  let synchronous = ''
  let logIsDoubtful = false

  function runOperation({ sql, params }: Operation): SqlRow[] {
    let prepared = statements.get(sql)
    if (prepared === undefined) {
      const statement = db.prepare(sql)
      prepared = { statement, hasRows: statement.columns().length > 0 }
      statements.set(sql, prepared)
    }
    if (prepared.hasRows) return prepared.statement.all(...params)
    prepared.statement.run(...params)
    return []
  }

  function runGroup(group: readonly Operation[]): SqlRow[][] | Failure {
    // A statement that fails undoes itself: only several of them need a savepoint.
    const several = group.length > 1
    try {
      if (several) savepoint.run()
      const rows = group.map(runOperation)
      if (several) release.run()
      return rows
    } catch (error) {
      // Some errors (no space, I/O) can end the whole transaction: then no group has happened.
      if (!db.isTransaction) throw error
      if (several) {
        rollbackGroup.run()
        release.run()
      }
      const failure = describe(error)
      logIsDoubtful ||= failure.code === 'EIO'
      return failure
    }
  }

  /** After an I/O error the log may lack on disk what the page cache still shows: save that and start the log again. */
  function renewLog() {
    const result = db.prepare('PRAGMA wal_checkpoint(RESTART)').get()
    if (result?.busy !== 0) throw Object.assign(new Error('a reader keeps the log'), { errcode: SQLITE_IOERR })
    logIsDoubtful = false
  }

  /**
   * Runs a batch in the hope that nothing fails: savepoints cost a sixth of the writing. When something does,
   * everything is undone, and undefined says that the groups have to be told apart.
   */
  function runAll({ groups }: Batch): SqlRow[][][] | undefined {
    try {
      return groups.map(group => group.map(runOperation))
    } catch (error) {
      if (describe(error).code === 'EIO') throw error
      if (db.isTransaction) rollback.run()
      begin.run()
      return undefined
    }
  }

  return batch => {
    try {
      if (logIsDoubtful) renewLog()
      const wanted = batch.durable ? options.synchronous : 'NORMAL'
      if (wanted !== synchronous) db.exec(`PRAGMA synchronous = ${wanted}`)
      synchronous = wanted
      begin.run()
      const reply = runAll(batch) ?? batch.groups.map(runGroup)
      commit.run()
      return reply
    } catch (error) {
      const failure = describe(error)
      if (failure.code === 'EIO') logIsDoubtful = true
      if (db.isTransaction) rollback.run()
      return batch.groups.map(() => failure)
    }
  }
}

const port = parentPort
if (port !== null) {
  const options = workerData as WriterThreadOptions
  const db = openConnection(options)
  const runBatch = createBatchRunner(db, options)
  const unpack = createBatchUnpacker()
  port.on('message', (message: PackedBatch | 'close') => {
    if (message === 'close') {
      // Best effort: what stays in the log is taken up at the next start.
      db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
      db.close()
      port.close()
    } else {
      port.postMessage(runBatch(unpack(message)))
    }
  })
  port.postMessage('ready')
}
