// The thread that brings a database's log into the database while others go on writing to the log and reading. Nobody
// waits for it, and it waits for nobody: what it could not do, it does the next time.
import { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'

parentPort?.on('message', (message: 'checkpoint' | 'close') => {
  if (message === 'close') {
    db.close()
    parentPort?.close()
    return
  }
  try {
    db.prepare('PRAGMA wal_checkpoint(PASSIVE)').get()
  } catch {
    // A full disk, say: the log stays, and its limit makes the writer try; whose error is told.
  }
})

const db = new DatabaseSync((workerData as { path: string }).path, { timeout: 0 })
db.exec('PRAGMA synchronous = NORMAL')
