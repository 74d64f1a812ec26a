// A job queue as a table of the spool's database. Leases are updates with a random token; a job is visible when its
// time has come, be that after enqueueing, after a retry's delay or because its lease ran out.
// Handing out is not synced (a power cut then hands out once more); everything else is durable when it resolves.
// Waiting costs nothing: `lease` is woken by what this process enqueues, and by one timer for the next visible time.
// A job that is enqueued while somebody waits goes in as leased to him: one write less, and no wait for it.
// A job that was tried before counts as tried again once it has begun: until then its row says so, and whoever becomes
// the spool's next owner takes the try back.
// Of each priority the first in line are found in the index; every fourth turn is for whoever waits longest.
import { randomBytes } from 'node:crypto'
import type { Job } from '../mail/job.ts'
import { PRIORITIES, type Priority } from '../mail/priority.ts'
import type { JobQueue, Lease, QueueTally } from './job-queue.ts'
import type { Reader } from './reader-sqlite.ts'
import { turnsOfAge } from './turns.ts'
import type { Writer } from './writer-sqlite.ts'
import type { Operation, SqlRow } from './writer-thread-sqlite.ts'

export type JobTable = 'scan_jobs' | 'delivery_jobs'

/** The clock may be set meanwhile: look again after a minute at the latest. */
const LONGEST_TIMER = 60_000

const RANK: Readonly<Record<Priority, number>> = { high: 1, normal: 0, low: -1 }

export function createSqliteJobQueue<J extends Job>({
  table,
  writer,
  reader,
  now,
  leaseTime,
}: {
  table: JobTable
  writer: Writer
  reader: Reader
  now: () => number
  /** Milliseconds until a job whose worker is silent is handed out again. */
  leaseTime: number
}): JobQueue<J> & { close(): void } {
  const ENQUEUE = `INSERT INTO ${table} (id, enqueued_at, visible_at, tries, token, recipients, doc, priority)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING RETURNING seq`
  const firstOf = (priority: Priority) => `SELECT * FROM (SELECT seq, visible_at, priority FROM ${table}
    WHERE dead = 0 AND priority = ${RANK[priority]} AND visible_at <= ?2 ORDER BY visible_at, seq LIMIT ?3)`
  const lease = (order: string) => `UPDATE ${table}
    SET visible_at = ?1, tries = tries + begun, begun = tries = 0, token = hex(randomblob(8))
    WHERE seq IN (SELECT seq FROM (${PRIORITIES.map(firstOf).join(' UNION ALL ')}) ORDER BY ${order} LIMIT ?3)
    RETURNING seq, priority, tries, enqueued_at, token, doc`
  const LEASE_OLDEST = lease('visible_at, seq')
  const LEASE_URGENT = lease('priority DESC, visible_at, seq')
  const EXTEND = `UPDATE ${table} SET visible_at = ? WHERE id = ? AND token = ? RETURNING seq`
  const BEGIN = `UPDATE ${table} SET begun = 1 WHERE id = ? AND token = ? RETURNING seq`
  const DONE = `DELETE FROM ${table} WHERE id = ? AND token = ?`
  const RETRY = `UPDATE ${table} SET token = NULL, begun = 1, visible_at = ?, reason = ? WHERE id = ? AND token = ?`
  const NARROW = `UPDATE ${table} SET recipients = ?, doc = json_set(doc, '$.recipients', json(?))
    WHERE id = ? AND token = ?`
  const RELEASE = `UPDATE ${table} SET token = NULL, begun = 1, visible_at = enqueued_at, tries = tries - 1
    WHERE id = ? AND token = ?`
  const DEAD_LETTER = `UPDATE ${table} SET token = NULL, begun = 1, dead = 1, reason = ? WHERE id = ? AND token = ?`
  const LEASE_OF = `UPDATE ${table} SET visible_at = ?, tries = tries + begun, begun = tries = 0, token = hex(randomblob(8)), dead = 0
    WHERE id > ? || '/' AND id < ? || '0' AND (dead = 1 OR token IS NULL OR visible_at <= ?)
    RETURNING tries, enqueued_at, token, doc`
  const REDRIVE = `UPDATE ${table} SET dead = 0, tries = 0, reason = NULL, visible_at = ? WHERE id = ? AND dead = 1
    RETURNING seq`
  const DEAD = `SELECT doc, reason, enqueued_at FROM ${table} WHERE dead = 1 ORDER BY seq LIMIT ?`
  const nextOf = (priority: Priority) =>
    `SELECT min(visible_at) AS at FROM ${table} WHERE dead = 0 AND priority = ${RANK[priority]}`
  const NEXT = `SELECT min(at) AS next FROM (${PRIORITIES.map(nextOf).join(' UNION ALL ')})`

  const waiting = new Set<Waiter<J>>()
  let timer: NodeJS.Timeout | undefined
  let arrivals = 0
  let turn = 0
  let closed = false

  function wakeOne() {
    const [first] = waiting
    if (first === undefined) return
    waiting.delete(first)
    first.wake()
  }

  function announce() {
    arrivals++
    wakeOne()
  }

  /** Sets the timer for the next job that becomes visible by itself. */
  function arm() {
    clearTimeout(timer)
    if (waiting.size === 0 || closed) return
    const next = reader.get(NEXT)?.next
    if (typeof next !== 'number') return
    timer = setTimeout(wakeOne, Math.min(Math.max(next - now(), 1), LONGEST_TIMER))
  }

  /** Resolves with the jobs that came in as leased, or with none when there is another reason to look. */
  async function untilWoken(max: number, signal: AbortSignal): Promise<Lease<J>[]> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiter: Waiter<J> = { room: max, handed: [], gone: false, wake: resolve, reject }
    waiting.add(waiter)
    signal.addEventListener('abort', waiter.wake)
    arm()
    try {
      await promise
    } finally {
      signal.removeEventListener('abort', waiter.wake)
      waiting.delete(waiter)
      waiter.gone = true
    }
    if (!signal.aborted) return waiter.handed
    await Promise.all(waiter.handed.map(release))
    return []
  }

  async function release({ job, token }: Lease<J>): Promise<void> {
    await write(RELEASE, job.id, token)
    announce()
  }

  const write = (sql: string, ...params: Operation['params']) => writer.run([{ sql, params }])

  return {
    async enqueue(job) {
      const at = now()
      const waiter = [...waiting].find(({ room }) => room > 0)
      const token = waiter && randomBytes(8).toString('hex')
      if (waiter !== undefined) waiter.room--
      const row = [job.id, at, token ? at + leaseTime : at, token ? 1 : 0, token ?? null, job.recipients.length]
      const rank = RANK[job.priority ?? 'normal']
      const [rows = []] = await write(ENQUEUE, ...row, JSON.stringify(job), rank).catch(error => {
        if (waiter !== undefined) waiter.room++
        throw error
      })
      if (token === undefined || rows.length === 0) {
        if (waiter !== undefined) waiter.room++
        announce()
        return
      }
      const lease = { job, tries: 1, enqueuedAt: at, token }
      if (waiter?.gone === false) {
        waiter.handed.push(lease)
        waiting.delete(waiter)
        // Whoever enqueued goes first: a client shall not wait for its 250 until the scan has begun.
        setImmediate(waiter.wake)
      } else await release(lease)
    },

    async lease(max, signal) {
      while (!signal.aborted) {
        const seen = arrivals
        const at = now()
        const oldest = turnsOfAge(turn, max)
        const shares = [
          { sql: LEASE_OLDEST, share: oldest },
          { sql: LEASE_URGENT, share: max - oldest },
        ]
        const operations = shares
          .filter(({ share }) => share > 0)
          .map(({ sql, share }) => ({ sql, params: [at + leaseTime, at, share] }))
        const rows = (await writer.run(operations, { durable: false })).flat()
        if (rows.length > 0) {
          turn += rows.length
          if (rows.length === max) wakeOne()
          arm()
          return rows.toSorted(byPriority).map(row => leaseOf<J>(row))
        }
        if (arrivals !== seen || signal.aborted) continue
        const handed = await untilWoken(max, signal)
        if (handed.length > 0) return handed
      }
      // Whoever was woken and leaves passes the news on.
      wakeOne()
      return []
    },

    async extend({ job, token }) {
      const operation = { sql: EXTEND, params: [now() + leaseTime, job.id, token] }
      const [rows = []] = await writer.run([operation], { durable: false })
      return rows.length > 0
    },

    async begin({ job, token }) {
      const [rows = []] = await writer.run([{ sql: BEGIN, params: [job.id, token] }], { durable: false })
      return rows.length > 0
    },

    async done({ job, token }) {
      await write(DONE, job.id, token)
    },

    async retry({ job, token }, delay, reason) {
      await write(RETRY, now() + delay, reason, job.id, token)
      announce()
    },

    async narrow({ job, token }, recipients) {
      await write(NARROW, recipients.length, JSON.stringify(recipients), job.id, token)
    },

    release,

    async deadLetter({ job, token }, reason) {
      await write(DEAD_LETTER, reason, job.id, token)
    },

    async leaseOf(queueId) {
      const at = now()
      const operation = { sql: LEASE_OF, params: [at + leaseTime, queueId, queueId, at] }
      const [rows = []] = await writer.run([operation], { durable: false })
      return rows.map(row => leaseOf<J>(row))
    },

    async dead(max) {
      return reader.all(DEAD, max).map(row => ({
        job: JSON.parse(String(row.doc)) as J,
        reason: String(row.reason),
        enqueuedAt: Number(row.enqueued_at),
      }))
    },

    async redrive(jobId) {
      const [rows = []] = await write(REDRIVE, now(), jobId)
      if (rows.length > 0) announce()
      return rows.length > 0
    },

    async tally() {
      return tallyJobs(reader, table, now())
    },

    close() {
      closed = true
      clearTimeout(timer)
      for (const { reject } of waiting) reject(new Error('the job queue is closed'))
      waiting.clear()
    },
  }
}

function byPriority(a: SqlRow, b: SqlRow): number {
  return Number(b.priority) - Number(a.priority) || Number(a.seq) - Number(b.seq)
}

/** Somebody who waits in `lease`. */
type Waiter<J extends Job> = {
  /** How many more jobs may be handed over. */
  room: number
  handed: Lease<J>[]
  /** He has left with what he got; what comes later is for somebody else. */
  gone: boolean
  wake(): void
  reject(error: Error): void
}

/** Jobs by where they stand; one whose lease has run out is back among the incoming. */
export function tallyJobs(reader: Reader, table: JobTable, now: number): QueueTally {
  const sums = 'count(*) AS jobs, coalesce(sum(recipients), 0) AS recipients'
  const open = reader.all(
    `SELECT token IS NOT NULL AND visible_at > ? AS active, ${sums}, min(enqueued_at) AS oldest
     FROM ${table} WHERE dead = 0 GROUP BY active`,
    now,
  )
  const dead = reader.get(`SELECT ${sums} FROM ${table} WHERE dead = 1`)
  const oldest = open.map(row => Number(row.oldest))
  return {
    incoming: count(open.find(row => row.active === 0)),
    active: count(open.find(row => row.active === 1)),
    dead: count(dead),
    ...(oldest.length > 0 && { oldestEnqueuedAt: Math.min(...oldest) }),
  }
}

/** Nobody holds a lease any more: for a process that has just become the only owner. The tries of what had begun stay. */
export function voidLeases(table: JobTable, now: number): Operation {
  const sql = `UPDATE ${table} SET token = NULL, visible_at = ?, tries = tries - (begun = 0), begun = 1
    WHERE dead = 0 AND token IS NOT NULL`
  return { sql, params: [now] }
}

function leaseOf<J extends Job>(row: SqlRow): Lease<J> {
  return {
    job: JSON.parse(String(row.doc)),
    tries: Number(row.tries),
    enqueuedAt: Number(row.enqueued_at),
    token: String(row.token),
  }
}

function count(row: SqlRow | undefined): { jobs: number; recipients: number } {
  return { jobs: Number(row?.jobs ?? 0), recipients: Number(row?.recipients ?? 0) }
}
