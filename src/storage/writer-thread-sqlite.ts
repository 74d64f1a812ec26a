// The thread that owns the only connection that writes. It takes a batch, runs it as one transaction and answers, group
// by group, in order. That a batch is committed keeps it through the death of the process; a sync of the log, made
// beside it by another thread, keeps it through a power cut. So commits go on during a sync.
// A group that fails is rolled back alone. When the transaction itself fails, every group of the batch has failed;
// the thread lives on and works again once the cause is gone.
// When a sync fails the log is brought into the database at once. Should that fail, too, those who waited for the sync
// are told so, and what they wrote may be there all the same; nothing more is written until it is done.
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import type { Synced, SyncFailed, SyncRequest } from './log-sync-thread-disk.ts'
import { createBatchUnpacker, type PackedBatch } from './writer-batch-sqlite.ts'

export type SqlValue = SQLInputValue
export type SqlRow = Readonly<Record<string, SQLOutputValue>>
export type Operation = Readonly<{ sql: string; params: readonly SqlValue[] }>
/** All or none of the operations in each group; `durable` when a group's caller waits for stable storage. */
export type Batch = Readonly<{ groups: readonly (readonly Operation[])[]; durable: boolean }>
export type Failure = Readonly<{ code: string; message: string }>
/** Per group: the rows of each operation, or why the group was rolled back. */
export type BatchReply = readonly (readonly (readonly SqlRow[])[] | Failure)[]
/** Batches are numbered from 1. */
export type WriterReply =
  | Readonly<{ batch: number; reply: BatchReply }>
  /** Nobody knows whether the batches up to this number, as far as they were not synced, are on stable storage. */
  | Readonly<{ unsynced: number; failure: Failure }>
  | Synced

export type WriterThreadOptions = Readonly<{
  path: string
  /** To the thread that syncs the log. Without it nothing is synced but checkpoints: a power cut may undo the last of it. */
  syncing?: MessagePort
  /** For tests of a full disk, in pages of 4 KiB: upper limit of the database, and of its log. */
  maxPages?: number
  checkpointPages?: number
}>

/** 32 MiB of log between checkpoints: large enough to keep them rare, small enough to be quick. */
const CHECKPOINT_PAGES = 8000
const CACHE_KIB = 32 * 1024
const BUSY_TIMEOUT = 5000
/** Milliseconds after which what nobody waits for is synced, too: so much a power cut may undo. */
const LONGEST_UNSYNCED = 100

/** Primary result codes (sqlite.org/rescode.html) that have a name in the file system. */
const SQLITE_BUSY = 5
const SQLITE_IOERR = 10
const SQLITE_FULL = 13
const SYSTEM_CODES: Readonly<Record<number, string>> = { [SQLITE_IOERR]: 'EIO', [SQLITE_FULL]: 'ENOSPC' }

function describe(error: unknown): Failure {
  const { message, errcode, code } = error as Error & { errcode?: number; code?: string }
  return { message, code: SYSTEM_CODES[(errcode ?? 0) & 0xff] ?? code ?? 'ERR_SQLITE_ERROR' }
}

function openConnection({ path, maxPages, checkpointPages = CHECKPOINT_PAGES }: WriterThreadOptions): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT, enableForeignKeyConstraints: false })
  // A commit does not sync then; a checkpoint does, before and after it copies.
  db.exec('PRAGMA synchronous = NORMAL')
  db.exec(`PRAGMA cache_size = -${CACHE_KIB}; PRAGMA wal_autocheckpoint = ${checkpointPages}`)
  if (maxPages !== undefined) db.exec(`PRAGMA max_page_count = ${maxPages}`)
  return db
}

type BatchRunner = Readonly<{
  run(batch: Batch): BatchReply
  /** Brings all that was committed into the database and begins the log anew: it is not to be trusted any more. */
  renewLog(): void
  /** The same for what a predecessor left, whose last syncs may have failed; not where somebody reads or room is short. */
  tryToRenewLog(): void
}>

function createBatchRunner(db: DatabaseSync, onRenewed: () => void): BatchRunner {
  const statements = new Map<string, { statement: StatementSync; hasRows: boolean }>()
  const begin = db.prepare('BEGIN IMMEDIATE')
  const commit = db.prepare('COMMIT')
  const rollback = db.prepare('ROLLBACK')
  const savepoint = db.prepare('SAVEPOINT a_group')
  const release = db.prepare('RELEASE a_group')
  const rollbackGroup = db.prepare('ROLLBACK TO a_group')
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

  /**
   * After an I/O error the log may lack on disk what the page cache still shows: save that and start the log again. The
   * write is for its new beginning, which SQLite syncs: what is left of the old log must not be found over newer pages.
   */
  function renewLog() {
    logIsDoubtful = true
    const result = db.prepare('PRAGMA wal_checkpoint(RESTART)').get()
    if (result?.busy !== 0) throw Object.assign(new Error('a reader keeps the log'), { errcode: SQLITE_BUSY })
    const version = db.prepare('PRAGMA user_version').get()?.user_version
    db.exec(`PRAGMA user_version = ${version}`)
    logIsDoubtful = false
    onRenewed()
  }

  function tryToRenewLog() {
    db.exec('PRAGMA busy_timeout = 0')
    try {
      renewLog()
    } catch (error) {
      logIsDoubtful = describe(error).code === 'EIO'
    }
    db.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT}`)
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

  function run(batch: Batch): BatchReply {
    try {
      if (logIsDoubtful) renewLog()
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

  return { run, renewLog, tryToRenewLog }
}

/** Has the log synced at once for those who wait, and for the rest before long. */
function createSyncRequests(syncing: MessagePort | undefined) {
  let committed = 0
  let asked = 0
  let timer: NodeJS.Timeout | undefined

  function ask() {
    clearTimeout(timer)
    timer = undefined
    if (asked === committed) return
    asked = committed
    syncing?.postMessage(committed satisfies SyncRequest)
  }

  return {
    /** Numbers a batch that was committed. */
    next: () => ++committed,
    last: () => committed,
    want(durable: boolean) {
      if (syncing === undefined) return
      if (durable) ask()
      else timer ??= setTimeout(ask, LONGEST_UNSYNCED)
    },
    stop() {
      clearTimeout(timer)
      syncing?.close()
    },
  }
}

const port = parentPort
if (port !== null) {
  const options = workerData as WriterThreadOptions
  const { syncing } = options
  const db = openConnection(options)
  const requests = createSyncRequests(syncing)
  const say = (reply: WriterReply) => port.postMessage(reply)
  const runner = createBatchRunner(db, () => {
    syncing?.postMessage('renewed' satisfies SyncRequest)
    say({ synced: requests.last() })
  })
  const unpack = createBatchUnpacker()
  syncing?.on('message', (failure: SyncFailed) => {
    try {
      // The kernel tells each descriptor of a failed write once: the first attempt may but hear of the same one.
      try {
        runner.renewLog()
      } catch {
        runner.renewLog()
      }
    } catch {
      say({ unsynced: requests.last(), failure: { ...failure, code: 'EIO' } })
    }
  })
  port.on('message', (message: PackedBatch | 'close') => {
    if (message === 'close') {
      // Best effort: what stays in the log is taken up at the next start.
      db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
      db.close()
      requests.stop()
      port.close()
    } else {
      const batch = unpack(message)
      const reply = runner.run(batch)
      say({ batch: requests.next(), reply })
      requests.want(batch.durable)
    }
  })
  port.postMessage('ready')
  if (syncing !== undefined) runner.tryToRenewLog()
}
