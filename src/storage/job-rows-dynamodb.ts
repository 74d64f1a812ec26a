// The jobs of one queue as items of the records table: the truth about them, beside which a message on a queue is but a
// wake-up. A lease is a conditional write that sets a token and a time; whoever settles must show the token, so that lost
// leases, duplicate messages and repeated requests change nothing. All that resolves is durable.
// A job is listed by when it came, which a lease does not change: that keeps the index out of the way of ordinary work.
// Cost in write units: put 2, lease 1, extend 1, done 2; what changes a job's place in line 3.
import { randomUUID } from 'node:crypto'
import type { Job } from '../mail/job.ts'
import type { DeadLetter, Lease, QueueTally } from './job-queue.ts'
import { tallyRows } from './job-tally-dynamodb.ts'
import { jobItem } from './record-items-dynamodb.ts'
import { indexOf, jobKey, jobListing, partitionOf, shardsOf, sortable } from './record-keys-dynamodb.ts'
import type { Item, Table } from './table-dynamodb.ts'

/** `gone`: done or dead, nobody needs to be woken for it again. `busy`: not before `visibleAt`, milliseconds since 1970. */
export type LeaseAnswer<J extends Job> =
  | Readonly<{ got: 'lease'; lease: Lease<J> }>
  | Readonly<{ got: 'busy'; visibleAt: number }>
  | Readonly<{ got: 'gone' }>

export interface JobRows<J extends Job> {
  /** False when a job of that id is there already: nothing has changed. */
  put(job: J): Promise<boolean>
  /** As `put`, and leased by the caller where that can be part of the same write. */
  putLeased(job: J): Promise<boolean | Lease<J>>
  lease(jobId: string): Promise<LeaseAnswer<J>>
  /** These are false, and have changed nothing, when the lease is lost. */
  extend(lease: Lease<J>): Promise<boolean>
  done(lease: Lease<J>): Promise<boolean>
  retry(lease: Lease<J>, delay: number, reason: string): Promise<boolean>
  release(lease: Lease<J>): Promise<boolean>
  narrow(lease: Lease<J>, recipients: readonly string[]): Promise<boolean>
  deadLetter(lease: Lease<J>, reason: string): Promise<boolean>
  /** As the port's. */
  leaseOf(queueId: string): Promise<Lease<J>[]>
  dead(max: number): Promise<DeadLetter<J>[]>
  /** The job that is on the queue again, or undefined when there is no such dead letter. */
  redrive(jobId: string): Promise<J | undefined>
  tally(): Promise<QueueTally>
  /** At most `max` jobs that could have been leased since before `before`, longest first: their wake-up may be lost. */
  overdue(before: number, max: number): Promise<J[]>
  /** The wake-up was sent again: from now on, the job is overdue anew. */
  woken(jobId: string): Promise<void>
}

export function createJobRows<J extends Job>({
  table,
  kind,
  now,
  leaseTime,
}: {
  table: Table
  kind: J['kind']
  now: () => number
  /** Milliseconds until a job whose worker is silent may be leased by another. */
  leaseTime: number
}): JobRows<J> {
  const listed = (id: string, which: 'open' | 'dead', at: number) => jobListing({ id, kind }, which, at)

  /** Changes the row if the lease still holds. */
  async function settle(
    { job, token }: Lease<J>,
    expression: string,
    values: Readonly<Record<string, string | number | boolean>> = {},
  ): Promise<boolean> {
    const condition = '#token = :token'
    const item = await table.write({
      update: jobKey(kind, job.id),
      expression,
      condition,
      values: { ...values, token },
    })
    return item !== undefined
  }

  /** Leases the row for which `condition` holds. */
  async function take(id: string, condition: string, more: string, values: Record<string, string | boolean>) {
    const token = randomUUID()
    const at = now()
    const item = await table.write({
      update: jobKey(kind, id),
      expression: `SET #token = :token, #visibleAt = :until${more} ADD #tries :one`,
      condition: `attribute_exists(#pk) AND ${condition}`,
      values: { ...values, token, until: at + leaseTime, at, one: 1 },
    })
    if (item !== undefined) return { item, ours: true }
    // An answer may have been lost: then the request was repeated, and has met its own effect.
    const found = await table.get(jobKey(kind, id))
    return { item: found, ours: found?.token === token }
  }

  const isFree = '#dead = :no AND #visibleAt <= :at'
  const nobodyWorks = '(#dead = :yes OR attribute_not_exists(#token) OR #visibleAt <= :at)'

  async function put(job: J): Promise<boolean> {
    const at = now()
    const item = await table.write({
      put: jobItem(job, { enqueuedAt: at, visibleAt: at, tries: 0 }),
      condition: 'attribute_not_exists(#pk)',
    })
    return item !== undefined
  }

  return {
    put,
    putLeased: put,

    async lease(jobId) {
      const { item, ours } = await take(jobId, isFree, '', { no: false })
      if (item !== undefined && ours) return { got: 'lease', lease: leaseIn<J>(item) }
      if (item === undefined || item.dead === true) return { got: 'gone' }
      return { got: 'busy', visibleAt: Number(item.visibleAt) }
    },

    extend: lease => settle(lease, 'SET #visibleAt = :until', { until: now() + leaseTime }),

    async done({ job, token }) {
      const write = { remove: jobKey(kind, job.id), condition: '#token = :token', values: { token } }
      return (await table.write(write)) !== undefined
    },

    retry(lease, delay, reason) {
      const at = now() + delay
      const { workAt } = listed(lease.job.id, 'open', at)
      const expression = 'SET #visibleAt = :at, #reason = :reason, #workAt = :workAt REMOVE #token'
      return settle(lease, expression, { at, reason, workAt })
    },

    release: lease => settle(lease, 'SET #visibleAt = #enqueuedAt REMOVE #token ADD #tries :less', { less: -1 }),

    narrow(lease, recipients) {
      const doc = JSON.stringify({ ...lease.job, recipients })
      return settle(lease, 'SET #doc = :doc, #recipients = :count', { doc, count: recipients.length })
    },

    deadLetter(lease, reason) {
      const listing = listed(lease.job.id, 'dead', lease.enqueuedAt)
      const expression = 'SET #dead = :yes, #reason = :reason, #workKey = :workKey, #workAt = :workAt REMOVE #token'
      return settle(lease, expression, { yes: true, reason, ...listing })
    },

    async leaseOf(queueId) {
      const rows = await table.query({ partition: partitionOf(queueId), prefix: `J#${kind}#${queueId}/` })
      const leases = await Promise.all(
        rows.map(async row => {
          const { id } = jobIn<J>(row)
          const listing = listed(id, 'open', Number(row.enqueuedAt))
          const more = ', #dead = :no, #workKey = :workKey, #workAt = :workAt'
          const { item, ours } = await take(id, nobodyWorks, more, { yes: true, no: false, ...listing })
          return item !== undefined && ours ? [leaseIn<J>(item)] : []
        }),
      )
      return leases.flat()
    },

    async dead(max) {
      const rows = await rowsOf(table, shardsOf('work', `dead-${kind}`), { limit: max })
      return rows
        .filter(row => row.dead === true)
        .slice(0, max)
        .map(row => ({ job: jobIn<J>(row), reason: String(row.reason), enqueuedAt: Number(row.enqueuedAt) }))
    },

    async redrive(jobId) {
      const at = now()
      const item = await table.write({
        update: jobKey(kind, jobId),
        expression:
          'SET #dead = :no, #tries = :none, #visibleAt = :at, #workKey = :workKey, #workAt = :workAt REMOVE #reason',
        condition: '#dead = :yes',
        values: { yes: true, no: false, none: 0, at, ...listed(jobId, 'open', at) },
      })
      return item && jobIn<J>(item)
    },

    tally: () => tallyRows(table, kind, now()),

    async overdue(before, max) {
      const found: Item[] = []
      const end = `${sortable(before)}#`
      await Promise.all(
        shardsOf('work', `open-${kind}`).map(async shard => {
          // What is leased or delayed stands in line too, and is passed over.
          for (let after: string | undefined, seen = 0; seen < max; ) {
            const range = { index: indexOf('work'), partition: shard, before: end, limit: max }
            const keys = await table.query({ ...range, ...(after !== undefined && { after }) })
            const rows = await table.getAll(keys)
            const late = rows.filter(row => row.dead === false && Number(row.visibleAt) < before)
            found.push(...late)
            seen += late.length
            if (keys.length < max) return
            after = String(keys.at(-1)!.workAt)
          }
        }),
      )
      return found
        .toSorted(byWork)
        .slice(0, max)
        .map(jobIn<J>)
    },

    async woken(jobId) {
      const { workAt } = listed(jobId, 'open', now())
      const condition = '#dead = :no'
      await table.write({
        update: jobKey(kind, jobId),
        expression: 'SET #workAt = :workAt',
        condition,
        values: { workAt, no: false },
      })
    },
  }
}

/** The rows under these keys of the index, in its order. */
async function rowsOf(table: Table, shards: readonly string[], range: Readonly<{ limit: number }>): Promise<Item[]> {
  const keys = await Promise.all(shards.map(partition => table.query({ ...range, index: indexOf('work'), partition })))
  const first = keys.flat().toSorted(byWork).slice(0, range.limit)
  return (await table.getAll(first)).toSorted(byWork)
}

function byWork(a: Item, b: Item): number {
  return String(a.workAt) < String(b.workAt) ? -1 : 1
}

const jobIn = <J extends Job>(row: Item): J => JSON.parse(String(row.doc))

function leaseIn<J extends Job>(row: Item): Lease<J> {
  return {
    job: jobIn<J>(row),
    tries: Number(row.tries),
    enqueuedAt: Number(row.enqueuedAt),
    token: String(row.token),
  }
}
