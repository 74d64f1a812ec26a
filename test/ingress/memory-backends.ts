// The storage ports as ingress uses them, in memory, where a test can look into them and make them fail.

import type { SessionSettings } from '../../src/ingress/session.ts'
import type { ScanJob } from '../../src/mail/job.ts'
import type { AcceptedMessage, TraceEvent } from '../../src/mail/record.ts'
import type { Draft } from '../../src/storage/message-store.ts'

/** What a test may put in the way; each is called before the step is done, and may throw, reject or take its time. */
export type Obstacles = {
  draft?: () => void
  write?: (chunk: Buffer) => Promise<void> | undefined
  seal?: () => Promise<void>
  commit?: () => Promise<void>
  create?: () => Promise<void>
  enqueue?: () => Promise<void>
}

export type Stored = Readonly<{ content: Buffer; message: AcceptedMessage; event: TraceEvent; job: ScanJob }>

export function memoryBackends(obstacles: Obstacles = {}) {
  const contents = new Map<string, Buffer>()
  const records = new Map<string, { message: AcceptedMessage; event: TraceEvent }>()
  const jobs = new Map<string, ScanJob>()
  /** Drafts that were neither committed nor given back. */
  const open = new Set<string>()
  let discarded = 0
  const waiting: (() => void)[] = []
  const changed = () => {
    for (const resume of waiting.splice(0)) resume()
  }

  function draft(queueId: string): Draft {
    obstacles.draft?.()
    const chunks: Buffer[] = []
    let size = 0
    open.add(queueId)
    changed()
    return {
      get size() {
        return size
      },
      get head() {
        return Buffer.concat(chunks)
      },
      write(chunk) {
        const wait = obstacles.write?.(chunk)
        chunks.push(chunk)
        size += chunk.length
        return wait
      },
      async seal() {
        await obstacles.seal?.()
      },
      content: () => ({
        size,
        async *chunks() {
          yield* chunks
        },
      }),
      async commit() {
        await obstacles.commit?.()
        contents.set(queueId, Buffer.concat(chunks))
        open.delete(queueId)
      },
      async discard() {
        if (!open.delete(queueId)) return
        discarded++
        changed()
      },
    }
  }

  const backends = {
    messages: { draft },
    records: {
      async create(message: AcceptedMessage, event: TraceEvent) {
        await obstacles.create?.()
        records.set(message.queueId, { message, event })
      },
    },
    scanJobs: {
      async enqueue(job: ScanJob) {
        await obstacles.enqueue?.()
        jobs.set(job.queueId, job)
      },
    },
    /** All or none, as the embedded adapter does it. */
    async together(...writes: readonly (() => Promise<unknown>)[]) {
      const before = [contents, records, jobs].map(map => new Map<string, unknown>(map))
      try {
        for (const write of writes) await write()
      } catch (error) {
        for (const [n, map] of [contents, records, jobs].entries()) {
          for (const key of map.keys()) if (!before[n]!.has(key)) map.delete(key)
        }
        throw error
      }
    },
  } as unknown as SessionSettings['backends']

  return {
    backends,
    obstacles,
    /** Everything that was accepted, in order. */
    accepted(): Stored[] {
      return Array.from(records, ([queueId, record]) => {
        return { ...record, content: contents.get(queueId)!, job: jobs.get(queueId)! }
      })
    },
    /** Lets go of everything that was accepted. */
    forget() {
      for (const map of [contents, records, jobs]) map.clear()
    },
    /** True when nothing is kept of anything: no content, record, job or open draft. */
    isEmpty: () => contents.size + records.size + jobs.size + open.size === 0,
    openDrafts: () => open.size,
    /** Resolves when so many drafts were given back. */
    async untilDiscarded(count: number) {
      while (discarded < count) await new Promise<void>(resolve => waiting.push(resolve))
    },
    async untilDraftIsOpen() {
      while (open.size === 0) await new Promise<void>(resolve => waiting.push(resolve))
    },
  }
}
