// A job queue whose jobs are rows of DynamoDB and whose wake-ups come by SQS. The row decides: what SQS loses, doubles or
// brings late costs time, never a job, and what it brings again after its end is thrown away. So all that resolves is as
// durable as the row, and an SQS that fails keeps no mail from being accepted: the sweep wakes its jobs later.
// The order is as good as SQS keeps it: about the oldest first, in the turns of the priorities.
import type { Job } from '../mail/job.ts'
import { PRIORITIES, type Priority } from '../mail/priority.ts'
import type { Log } from '../platform/log.ts'
import type { JobQueue, Lease } from './job-queue.ts'
import type { JobRows } from './job-rows-dynamodb.ts'
import { createOwnJobs } from './own-jobs.ts'
import { createWakeUpLines, type LineTimes } from './wake-up-lines-sqs.ts'
import { readWakeUp, type WakeUp, type WakeUpQueue } from './wake-ups-sqs.ts'

export type WokenJob<J extends Job> =
  | Readonly<{ lease: Lease<J> }>
  /** Nobody may have it for so many milliseconds; 0: it is no job any more. */
  | Readonly<{ busyFor: number }>

export type SqsJobQueue<J extends Job> = JobQueue<J> &
  Readonly<{
    /**
     * Leases the job that a message names, for whoever receives messages himself (Lambda). The message is of no use
     * after that: what is given back is woken by a new one. Rejects what is no message of ours: it may stay on the queue,
     * for the dead-letter queue to get.
     */
    leaseMessage(body: string): Promise<WokenJob<J>>
    /**
     * Sends the wake-ups again that jobs have been without for `grace` milliseconds or, while SQS has one for every job,
     * for `patience`. At most `max`, those that wait longest first. Resolves with how many.
     */
    resend(options: Readonly<{ grace: number; patience: number; max: number }>): Promise<number>
    close(): Promise<void>
  }>

export type SqsJobQueueOptions<J extends Job> = Readonly<{
  rows: JobRows<J>
  /** One queue may serve several priorities. */
  queues: Readonly<Record<Priority, WakeUpQueue>>
  now: () => number
  /** As the rows have it; wake-ups are hidden as long. */
  leaseTime: number
  log?: Log | undefined
  times?: Partial<LineTimes>
  /** Jobs that this process puts are done by it, as far as it has time (own-jobs). */
  keepsOwn?: boolean
}>

const TIMES: LineTimes = { gather: 20, hold: 2000, pause: 0 }
/** When the row could not be read, milliseconds. */
const SOON = 5000
/** Of so many turns, one is for what others have put first. */
const TURNS = 4

export function createSqsJobQueue<J extends Job>(options: SqsJobQueueOptions<J>): SqsJobQueue<J> {
  const { rows, queues, now, leaseTime, log, times, keepsOwn = false } = options
  const lines = [...new Set(PRIORITIES.map(priority => queues[priority]))]
  const source = createWakeUpLines(lines, { ...TIMES, ...times })
  /** By the token of the lease that each brought. */
  const wakeUps = new Map<string, WakeUp>()
  const background = new Set<Promise<void>>()
  const own = keepsOwn ? createOwnJobs({ rows, now, leaseTime }) : undefined
  let turn = 0

  /** What may fail without harm: the row has the truth. */
  function unharmed(work: Promise<unknown>): Promise<void> {
    const done = work
      .then(
        () => {},
        error => log?.warn({ why: String(error) }, 'wake-up-failed'),
      )
      .finally(() => background.delete(done))
    background.add(done)
    return done
  }

  function send(job: J, delay = 0): Promise<void> {
    return queues[job.priority ?? 'normal'].send(job, now(), delay)
  }

  async function leaseFor(wakeUp: WakeUp): Promise<Lease<J> | undefined> {
    const answer = await rows.lease(wakeUp.jobId).catch(error => {
      void unharmed(wakeUp.queue.later(wakeUp, SOON))
      throw error
    })
    switch (answer.got) {
      case 'lease':
        wakeUps.set(answer.lease.token, wakeUp)
        return answer.lease
      case 'busy':
        void unharmed(wakeUp.queue.later(wakeUp, answer.visibleAt - now()))
        return undefined
      case 'gone':
        void unharmed(wakeUp.queue.remove(wakeUp))
        return undefined
    }
  }

  /** The wake-up of a lease, which is not kept any longer. */
  function letGo({ token }: Lease<J>): WakeUp | undefined {
    const wakeUp = wakeUps.get(token)
    wakeUps.delete(token)
    return wakeUp
  }

  /** Of a job that leaves the queue, or is not to be handed out again. */
  function forget(lease: Lease<J>): void {
    const wakeUp = letGo(lease)
    if (wakeUp !== undefined) void unharmed(wakeUp.queue.remove(wakeUp))
  }

  /** Of a job that was given back. */
  function wakeAgain(lease: Lease<J>, delay: number): Promise<void> {
    const wakeUp = letGo(lease)
    return unharmed(wakeUp === undefined ? send(lease.job, delay) : wakeUp.queue.later(wakeUp, delay))
  }

  async function takeWoken(max: number, signal: AbortSignal): Promise<WakeUp[]> {
    if (own === undefined) return source.take(max, signal)
    if (own.waiting() === 0) return source.take(max, AbortSignal.any([signal, own.news()]))
    // What is here already, or just coming.
    return turn++ % TURNS === 0 ? source.take(max, AbortSignal.timeout(TIMES.gather)) : []
  }

  return {
    async enqueue(job) {
      if (own !== undefined && (await own.put(job))) return
      if (own === undefined) await rows.put(job)
      await unharmed(send(job))
    },

    async lease(max, signal) {
      while (!signal.aborted) {
        const woken = await takeWoken(max, signal)
        if (woken.length === 0 && !signal.aborted) {
          const leases = (await own?.take(max)) ?? []
          if (leases.length > 0) return leases
        }
        const answers = await Promise.allSettled(woken.map(leaseFor))
        const leases = answers.flatMap(answer => (answer.status === 'fulfilled' && answer.value ? [answer.value] : []))
        if (leases.length > 0) return leases.toSorted(inOrder)
        const failed = answers.find(answer => answer.status === 'rejected')
        if (failed !== undefined) throw failed.reason
      }
      return []
    },

    async leaseMessage(body) {
      const said = readWakeUp(body)
      if (said === undefined) throw new Error(`no wake-up for a job: ${body.slice(0, 100)}`)
      const answer = await rows.lease(said.jobId)
      if (answer.got === 'lease') return { lease: answer.lease }
      return { busyFor: answer.got === 'busy' ? Math.max(1, answer.visibleAt - now()) : 0 }
    },

    async extend(lease) {
      const kept = await rows.extend(lease)
      const wakeUp = wakeUps.get(lease.token)
      if (!kept) letGo(lease)
      else if (wakeUp !== undefined) void unharmed(wakeUp.queue.later(wakeUp, leaseTime))
      return kept
    },

    // Tries are counted where jobs are handed out: there is no next owner who could take one back.
    begin: rows.extend,

    async done(lease) {
      if (await rows.done(lease)) forget(lease)
      else letGo(lease)
    },

    async retry(lease, delay, reason) {
      if (await rows.retry(lease, delay, reason)) await wakeAgain(lease, delay)
      else letGo(lease)
    },

    async narrow(lease, recipients) {
      await rows.narrow(lease, recipients)
    },

    async release(lease) {
      if (await rows.release(lease)) await wakeAgain(lease, 0)
      else letGo(lease)
    },

    async deadLetter(lease, reason) {
      if (await rows.deadLetter(lease, reason)) forget(lease)
      else letGo(lease)
    },

    leaseOf: rows.leaseOf,
    dead: rows.dead,

    async redrive(jobId) {
      const job = await rows.redrive(jobId)
      if (job !== undefined) await unharmed(send(job))
      return job !== undefined
    },

    tally: rows.tally,

    async resend({ grace, patience, max }) {
      const [depths, { incoming, active }] = await Promise.all([
        Promise.all(lines.map(line => line.depth())),
        rows.tally(),
      ])
      const isComplete = depths.reduce((sum, depth) => sum + depth, 0) >= incoming.jobs + active.jobs
      const jobs = await rows.overdue(now() - (isComplete ? patience : grace), max)
      // The next pass takes what fails: the row is overdue until it is marked.
      await Promise.all(jobs.map(job => send(job).then(() => rows.woken(job.id))))
      return jobs.length
    },

    async close() {
      await unharmed(Promise.resolve(own?.close(job => send(job))))
      await source.close()
      await Promise.all(background)
    },
  }
}

/** What is urgent first, then the oldest; ids begin with the time of acceptance. */
function inOrder(a: Lease<Job>, b: Lease<Job>): number {
  const rank = ({ job }: Lease<Job>) => PRIORITIES.indexOf(job.priority ?? 'normal')
  return rank(a) - rank(b) || a.enqueuedAt - b.enqueuedAt || (a.job.id < b.job.id ? -1 : 1)
}
