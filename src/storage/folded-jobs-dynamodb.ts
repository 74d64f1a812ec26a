// Jobs of folded messages beside those that have rows. What is ordinary, leasing and keeping a lease, is done on the
// message's item; settling together with what came of the job is fold-dynamodb's; all else unfolds the message first.
// A lease of a folded message is known by its token, and stays good when the message is unfolded meanwhile.
import type { Job } from '../mail/job.ts'
import { foldedIn, foldedJobId, foldedToken, isFoldedToken, type Leases } from './folded-item-dynamodb.ts'
import type { QueueTally } from './job-queue.ts'
import type { JobRows, LeaseAnswer } from './job-rows-dynamodb.ts'
import { messageKey, queueIdOfJob } from './record-keys-dynamodb.ts'
import { type Item, octetsOf, type Table } from './table-dynamodb.ts'
import type { Unfold } from './unfold-dynamodb.ts'
import type { Young } from './young-messages-dynamodb.ts'

/** Messages unfolded beside each other. */
const AT_ONCE = 10

export type FoldedJobsParts = Readonly<{
  table: Table
  unfold: Unfold
  leases: Leases
  young: Pick<Young, 'read'>
  now: () => number
  /** Milliseconds. */
  leaseTime: number
}>

/** The same port over `rows`, for messages that are folded and those that are not. */
export function createFoldedJobs<J extends Job>(
  rows: JobRows<J>,
  kind: J['kind'],
  { table, unfold, leases, young, now, leaseTime }: FoldedJobsParts,
): JobRows<J> {
  function leaseIn(item: Item): LeaseAnswer<J> {
    const { work, mark } = foldedIn(item)!
    const { job, standing } = work!
    const { tries, enqueuedAt, token } = standing
    const { queueId, recipients } = job
    leases.set(token!, {
      queueId,
      octets: octetsOf(item),
      apart: item.apart === true,
      recipients,
      ...(mark && { mark }),
    })
    return { got: 'lease', lease: { job: job as J, tries, enqueuedAt, token: token! } }
  }

  /** Undefined: it is not folded, or this is not its job. */
  async function leaseFolded(jobId: string): Promise<LeaseAnswer<J> | undefined> {
    const key = messageKey(queueIdOfJob(jobId))
    const token = foldedToken()
    const at = now()
    const item = await table.write({
      update: key,
      expression: 'SET #token = :token, #visibleAt = :until ADD #tries :one, #turn :one',
      condition: '#folded = :open AND #work = :kind AND #visibleAt <= :at',
      values: { open: 'open', kind, at, token, until: at + leaseTime, one: 1 },
    })
    if (item !== undefined) return leaseIn(item)
    const found = await table.get(key)
    if (found?.folded !== 'open' || found.work !== kind) return undefined
    // An answer may have been lost: then the request was repeated, and has met its own effect.
    if (found.token === token) return leaseIn(found)
    return { got: 'busy', visibleAt: Number(found.visibleAt) }
  }

  /** For what is about the row: there is one afterwards, if there is a job. */
  async function unfolded(token: string, jobId: string): Promise<void> {
    if (!isFoldedToken(token)) return
    await unfold(queueIdOfJob(jobId))
    leases.delete(token)
  }

  async function put(job: J): Promise<boolean> {
    await unfold(queueIdOfJob(job.id))
    return rows.put(job)
  }

  return {
    ...rows,

    put,
    putLeased: put,

    async lease(jobId) {
      const mayBeFolded = jobId === foldedJobId(queueIdOfJob(jobId), kind)
      return (mayBeFolded ? await leaseFolded(jobId) : undefined) ?? rows.lease(jobId)
    },

    async extend(lease) {
      const { job, token } = lease
      if (!isFoldedToken(token)) return rows.extend(lease)
      const item = await table.write({
        update: messageKey(queueIdOfJob(job.id)),
        expression: 'SET #visibleAt = :until ADD #turn :one',
        condition: '#folded = :open AND #token = :token',
        values: { open: 'open', token, until: now() + leaseTime, one: 1 },
      })
      return item !== undefined || rows.extend(lease)
    },

    async done(lease) {
      await unfolded(lease.token, lease.job.id)
      return rows.done(lease)
    },
    async retry(lease, delay, reason) {
      await unfolded(lease.token, lease.job.id)
      return rows.retry(lease, delay, reason)
    },
    // A process that stops gives back what it has, and that is ordinary.
    async release(lease) {
      const { job, token, enqueuedAt } = lease
      if (!isFoldedToken(token)) return rows.release(lease)
      const item = await table.write({
        update: messageKey(queueIdOfJob(job.id)),
        expression: 'SET #visibleAt = :enqueuedAt REMOVE #token ADD #tries :less, #turn :one',
        condition: '#folded = :open AND #token = :token',
        values: { open: 'open', token, enqueuedAt, less: -1, one: 1 },
      })
      leases.delete(token)
      return item !== undefined || rows.release(lease)
    },
    async narrow(lease, recipients) {
      await unfolded(lease.token, lease.job.id)
      return rows.narrow(lease, recipients)
    },
    async deadLetter(lease, reason) {
      await unfolded(lease.token, lease.job.id)
      return rows.deadLetter(lease, reason)
    },
    async leaseOf(queueId) {
      await unfold(queueId)
      return rows.leaseOf(queueId)
    },

    async tally() {
      const [{ open }, tally] = await Promise.all([young.read(), rows.tally()])
      const works = open.flatMap(({ work }) => (work?.job.kind === kind ? [work] : []))
      return works.reduce((sum, { job, standing }) => {
        const isActive = standing.token !== undefined && standing.visibleAt > now()
        return withJob(sum, isActive ? 'active' : 'incoming', job.recipients.length, standing.enqueuedAt)
      }, tally)
    },

    async overdue(before, max) {
      const { open } = await young.read()
      const late = open
        .flatMap(({ work }) => (work?.job.kind === kind && work.standing.visibleAt < before ? [work.job.queueId] : []))
        .toSorted()
        .slice(0, max)
      for (let n = 0; n < late.length; n += AT_ONCE) await Promise.all(late.slice(n, n + AT_ONCE).map(unfold))
      return rows.overdue(before, max)
    },
  }
}

function withJob(tally: QueueTally, where: 'incoming' | 'active', recipients: number, enqueuedAt: number): QueueTally {
  const { jobs, recipients: before } = tally[where]
  const oldestEnqueuedAt = Math.min(enqueuedAt, tally.oldestEnqueuedAt ?? enqueuedAt)
  return { ...tally, [where]: { jobs: jobs + 1, recipients: before + recipients }, oldestEnqueuedAt }
}
