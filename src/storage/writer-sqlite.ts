// The main thread's end of the writer: collects operations while a batch is on its way and sends everything that came
// in meanwhile as the next one, so that the event loop never waits for the disk. Two threads share the work: one commits,
// the other syncs the log. So what only has to outlive the process is committed while a sync is on, and messages that
// finish together share one.
// First in, first out. A promise resolves when its operations are committed (durable ones: synced), or rejects with
// nothing of its group done; `code` is then 'ENOSPC' where the disk is full, 'EIO' where it failed. One case differs:
// when a sync fails, and the way round it too, durable groups reject with EIO that were committed and stay so.
import { MessageChannel, Worker } from 'node:worker_threads'
import type { LogSyncOptions } from './log-sync-thread-disk.ts'
import { createBatchPacker } from './writer-batch-sqlite.ts'
import type { Failure, Operation, SqlRow, WriterReply, WriterThreadOptions } from './writer-thread-sqlite.ts'

type Rows = readonly (readonly SqlRow[])[]

export type Writer = Readonly<{
  /**
   * Runs operations as one, or as a part of the group being collected. Octets are copied when the batch is sent. What
   * is not durable waits a moment for company.
   */
  run(operations: readonly Operation[], options?: { durable?: boolean }): Promise<Rows>
  /**
   * Whatever is run synchronously inside becomes one group: all or none. Nothing is run when `body` throws. `durable`
   * then counts for all of it; a group that is not durable is committed without delay.
   */
  group(body: () => void, options: { durable: boolean }): void
  /** Finishes what was given, brings the log into the database and ends the threads. */
  close(): Promise<void>
}>

export type WriterOptions = Omit<WriterThreadOptions, 'syncing'> &
  Readonly<{
    /** FULL: durable is what its name says. NORMAL: only checkpoints sync, a power cut undoes what came since. */
    synchronous: 'FULL' | 'NORMAL'
    /** Told when a thread dies: nothing can be written then. */
    onCrash?: (error: Error) => void
  }>

/** How long a batch in which nothing is urgent waits for others, in milliseconds: a commit costs more than what is in it. */
const PATIENCE = 2

type Part = { from: number; count: number; resolve(rows: Rows): void; reject(error: Error): void }
type Group = { operations: Operation[]; durable: boolean; patient: boolean; parts: Part[] }
/** The durable groups of a committed batch, with their rows. */
type Unsynced = Readonly<{ batch: number; groups: readonly (readonly [Group, Rows])[] }>

/** Starts the threads on an existing database. */
export async function startWriter(options: WriterOptions): Promise<Writer> {
  const { onCrash, synchronous, ...threadOptions } = options
  const channel = synchronous === 'FULL' ? new MessageChannel() : undefined
  const syncing = channel && { syncing: channel.port1 }
  const thread = new Worker(new URL('./writer-thread-sqlite.ts', import.meta.url), {
    workerData: { ...threadOptions, ...syncing } satisfies WriterThreadOptions,
    ...(channel && { transferList: [channel.port1] }),
    execArgv: [],
    // Else `node --watch` says in between what the thread has loaded.
    env: {},
    name: 'spool-writer',
  })
  const threads = [thread]
  if (channel !== undefined) {
    const workerData: LogSyncOptions = { path: `${options.path}-wal`, writer: channel.port2 }
    const url = new URL('./log-sync-thread-disk.ts', import.meta.url)
    threads.push(
      new Worker(url, { workerData, transferList: [channel.port2], execArgv: [], env: {}, name: 'log-sync' }),
    )
  }
  const exits = threads.map(one => new Promise(resolve => one.once('exit', resolve)))
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
  let unsynced: Unsynced[] = []
  let synced = 0
  let immediate: NodeJS.Immediate | undefined
  let timer: NodeJS.Timeout | undefined
  let unusable: Error | undefined
  let whenIdle: (() => void) | undefined

  function submit(group: Group) {
    pending.push(group)
    schedule()
  }

  /** Not at once: what others finish in this turn of the event loop comes along. What is patient waits for company. */
  function schedule() {
    if (inFlight.length > 0 || pending.length === 0) return
    if (pending.every(group => group.patient)) timer ??= setTimeout(send, PATIENCE)
    else immediate ??= setImmediate(send)
  }

  function send() {
    clearImmediate(immediate)
    clearTimeout(timer)
    immediate = timer = undefined
    if (pending.length === 0 || inFlight.length > 0) return
    inFlight = pending
    pending = []
    const groups = inFlight.map(group => group.operations)
    const durable = inFlight.some(group => group.durable)
    const batch = pack({ groups, durable })
    thread.postMessage(batch, [batch.octets])
  }

  function take(message: WriterReply) {
    if ('reply' in message) onCommitted(message)
    else if ('synced' in message) onSynced(message.synced)
    else onSynced(message.unsynced, message.failure)
    if (pending.length + inFlight.length + unsynced.length === 0) whenIdle?.()
  }

  function onCommitted({ batch, reply }: Extract<WriterReply, { reply: unknown }>) {
    const results = inFlight.map((group, n) => [group, reply[n]!] as const)
    inFlight = []
    const waiting: (readonly [Group, Rows])[] = []
    for (const [group, rows] of results) {
      if (channel !== undefined && group.durable && batch > synced && !('code' in rows)) waiting.push([group, rows])
    }
    if (waiting.length > 0) unsynced.push({ batch, groups: waiting })
    if (pending.some(group => !group.patient)) send()
    else schedule()
    const later = new Set(waiting.map(([group]) => group))
    for (const [group, result] of results) if (!later.has(group)) settle(group, result)
  }

  function onSynced(upTo: number, failure?: Failure) {
    synced = Math.max(synced, upTo)
    const done = unsynced.filter(({ batch }) => batch <= upTo)
    unsynced = unsynced.filter(({ batch }) => batch > upTo)
    for (const { groups } of done) for (const [group, rows] of groups) settle(group, failure ?? rows)
  }

  function fail(error: Error) {
    if (unusable !== undefined) return
    unusable = error
    const waiting = unsynced.flatMap(({ groups }) => groups.map(([group]) => group))
    for (const group of [...waiting, ...inFlight, ...pending]) rejectAll(group, error)
    unsynced = []
    inFlight = []
    pending = []
    whenIdle?.()
    onCrash?.(error)
  }
  for (const one of threads) {
    one.on('message', take)
    one.on('error', error => fail(error as Error))
    one.on('exit', () => fail(new Error('a thread that writes the spool has ended')))
  }

  return {
    run(operations, { durable = true } = {}) {
      if (unusable !== undefined) return Promise.reject(unusable)
      return new Promise<Rows>((resolve, reject) => {
        const group = collecting ?? { operations: [], durable, patient: !durable, parts: [] }
        group.parts.push({ from: group.operations.length, count: operations.length, resolve, reject })
        group.operations.push(...operations)
        if (collecting === undefined) submit(group)
      })
    },

    group(body, { durable }) {
      if (collecting !== undefined) throw new Error('a group inside a group')
      const group: Group = { operations: [], durable, patient: false, parts: [] }
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
      if (pending.length + inFlight.length + unsynced.length > 0)
        await new Promise<void>(resolve => (whenIdle = resolve))
      unusable ??= new Error('the spool is closed')
      thread.postMessage('close')
      await Promise.all(exits)
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
