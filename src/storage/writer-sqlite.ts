// The main thread's end of the writer: collects operations while a batch is on its way and sends everything that came
// in meanwhile as the next one. So messages that finish together share one sync, and the event loop never waits for it.
// First in, first out. A promise resolves when its operations are committed (durable ones: synced), or rejects with
// nothing of its group done; `code` is then 'ENOSPC' where the disk is full, 'EIO' where it failed.
import { Worker } from 'node:worker_threads'
import { createBatchPacker } from './writer-batch-sqlite.ts'
import type { BatchReply, Failure, Operation, SqlRow, WriterThreadOptions } from './writer-thread-sqlite.ts'

type Rows = readonly (readonly SqlRow[])[]

export type Writer = Readonly<{
  /** Runs operations as one, or as a part of the group being collected. Octets are copied when the batch is sent. */
  run(operations: readonly Operation[], options?: { durable?: boolean }): Promise<Rows>
  /**
   * Whatever is run synchronously inside becomes one group: all or none. Nothing is run when `body` throws. `durable`
   * then counts for all of it.
   */
  group(body: () => void, options: { durable: boolean }): void
  /** Finishes what was given, brings the log into the database and ends the thread. */
  close(): Promise<void>
}>

/** How long a batch in which nothing is durable waits for others, in milliseconds: a commit costs more than what is in it. */
const PATIENCE = 2

type Part = { from: number; count: number; resolve(rows: Rows): void; reject(error: Error): void }
type Group = { operations: Operation[]; durable: boolean; parts: Part[] }

/** Starts the thread on an existing database. `onCrash` is told when the thread dies: nothing can be written then. */
export async function startWriter(
  options: WriterThreadOptions & { onCrash?: (error: Error) => void },
): Promise<Writer> {
  const { onCrash, ...threadOptions } = options
  const thread = new Worker(new URL('./writer-thread-sqlite.ts', import.meta.url), {
    workerData: threadOptions,
    execArgv: [],
    name: 'spool-writer',
  })
  await new Promise<void>((resolve, reject) => {
    thread.once('message', () => {
      thread.off('error', reject)
      resolve()
    })
    thread.once('error', reject)
  })

  const pack = createBatchPacker()
  let collecting: Group | undefined
  let pending: Group[] = []
  let inFlight: Group[] = []
  let immediate: NodeJS.Immediate | undefined
  let timer: NodeJS.Timeout | undefined
  let unusable: Error | undefined
  let whenIdle: (() => void) | undefined

  function submit(group: Group) {
    pending.push(group)
    if (inFlight.length === 0) schedule()
  }

  /** Not at once: what others finish in this turn of the event loop comes along. What is not durable waits for company. */
  function schedule() {
    if (pending.some(group => group.durable)) {
      immediate ??= setImmediate(send)
    } else if (pending.length > 0) timer ??= setTimeout(send, PATIENCE)
  }

  function send() {
    clearImmediate(immediate)
    clearTimeout(timer)
    immediate = timer = undefined
    if (pending.length === 0) return
    inFlight = pending
    pending = []
    const groups = inFlight.map(group => group.operations)
    const durable = inFlight.some(group => group.durable)
    const batch = pack({ groups, durable })
    thread.postMessage(batch, [batch.octets])
  }

  thread.on('message', (reply: BatchReply) => {
    const finished = inFlight
    inFlight = []
    if (pending.some(group => group.durable)) send()
    else schedule()
    if (pending.length + inFlight.length === 0) whenIdle?.()
    for (const [n, group] of finished.entries()) settle(group, reply[n]!)
  })

  function fail(error: Error) {
    if (unusable !== undefined) return
    unusable = error
    for (const group of [...inFlight, ...pending]) rejectAll(group, error)
    inFlight = []
    pending = []
    whenIdle?.()
    onCrash?.(error)
  }
  thread.on('error', error => fail(error as Error))
  thread.on('exit', () => fail(new Error('the thread that writes the spool has ended')))

  return {
    run(operations, { durable = true } = {}) {
      if (unusable !== undefined) return Promise.reject(unusable)
      return new Promise<Rows>((resolve, reject) => {
        const group = collecting ?? { operations: [], durable, parts: [] }
        group.parts.push({ from: group.operations.length, count: operations.length, resolve, reject })
        group.operations.push(...operations)
        if (collecting === undefined) submit(group)
      })
    },

    group(body, { durable }) {
      if (collecting !== undefined) throw new Error('a group inside a group')
      const group: Group = { operations: [], durable, parts: [] }
      collecting = group
      try {
        body()
      } catch (error) {
        rejectAll(group, error as Error)
        throw error
      } finally {
        collecting = undefined
      }
      if (group.parts.length > 0) submit(group)
    },

    async close() {
      if (unusable !== undefined) return
      if (pending.length + inFlight.length > 0) await new Promise<void>(resolve => (whenIdle = resolve))
      unusable ??= new Error('the spool is closed')
      const exited = new Promise(resolve => thread.once('exit', resolve))
      thread.postMessage('close')
      await exited
    },
  }
}

function settle(group: Group, result: Rows | Failure) {
  if ('code' in result) {
    rejectAll(group, Object.assign(new Error(result.message), { code: result.code }))
  } else {
    for (const { from, count, resolve } of group.parts) resolve(result.slice(from, from + count))
  }
}

function rejectAll(group: Group, error: Error) {
  for (const { reject } of group.parts) reject(error)
}
