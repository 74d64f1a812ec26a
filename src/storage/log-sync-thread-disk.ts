// The thread that brings the database's log to stable storage while the writer goes on committing to it. It is told how
// far the writer has come, syncs once for all it was told meanwhile, and says how far everything is safe.
// After a sync that failed nothing is safe: what the kernel did not write it may have forgotten, and a later sync would
// not bring it back. So the writer is told, and all is silent until it has begun the log again.
import { fdatasyncSync, openSync } from 'node:fs'
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'

/** From the writer: the number of its last batch, or that all up to here is safe in the database and the log is new. */
export type SyncRequest = number | 'renewed'
/** To the writer. */
export type SyncFailed = Readonly<{ code: string; message: string }>
/** To the writer's owner: all batches up to this number are safe. */
export type Synced = Readonly<{ synced: number }>

export type LogSyncOptions = Readonly<{ path: string; writer: MessagePort }>

const { path, writer } = (workerData ?? {}) as LogSyncOptions
let descriptor: number | undefined
let failed = false

function take(first: SyncRequest): void {
  let batch: number | undefined
  for (let next: SyncRequest | undefined = first; next !== undefined; next = receiveMessageOnPort(writer)?.message) {
    if (next === 'renewed') failed = false
    batch = next === 'renewed' ? undefined : next
  }
  if (failed || batch === undefined) return
  try {
    // Not earlier: it is the first commit that makes the file. The writer's connection keeps its name.
    descriptor ??= openSync(path, 'r+')
    fdatasyncSync(descriptor)
    parentPort?.postMessage({ synced: batch } satisfies Synced)
  } catch (error) {
    failed = true
    const { code = 'EIO', message } = error as NodeJS.ErrnoException
    writer.postMessage({ code, message } satisfies SyncFailed)
  }
}

writer.on('message', take)
