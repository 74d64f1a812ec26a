// What an operator changes about one message in the queue, for some or all of its recipients. A job is taken off its
// queue by leasing it, as a worker does: what a worker has at the moment cannot be had, and is reported as busy. Every
// change is one write, in the order that is safe to stop in; a crash before it leaves the message as it was.
import { randomBytes } from 'node:crypto'
import { type Deferral, HELD, type Job, splitJobId } from '../mail/job.ts'
import type { Priority } from '../mail/priority.ts'
import { isFinal, type RecipientState } from '../mail/record.ts'
import type { Lease } from '../storage/job-queue.ts'
import { audit, type OperationParts } from './operation.ts'
import type { Selected } from './selection.ts'

/** What is done, and the state that it leaves the recipients in. */
export type Change =
  | Readonly<{ action: 'hold' }>
  | Readonly<{ action: 'release' }>
  | Readonly<{ action: 'retry' }>
  | Readonly<{ action: 'delete' }>
  | Readonly<{ action: 'reroute'; to: string }>
  | Readonly<{ action: 'priority'; priority: Priority }>

export type Changed = Readonly<{
  queueId: string
  recipients: readonly string[]
  /** Being delivered or scanned at the moment. */
  busy: readonly string[]
  /**
   * Cannot be done to these, whatever one tries: a message that is not scanned has no next hop yet, one that a verdict
   * holds has no job.
   */
  unfit: readonly string[]
}>

type Write = () => Promise<unknown>

/**
 * Some recipients' part of a job, and the writes that take it from where it is; `dueAt`: it is deferred; `deferral`: it
 * is one as a whole, so that deferring it anew replaces it.
 */
type Piece = Readonly<{ job: Job; held: boolean; dueAt?: number; deferral: boolean; detach: readonly Write[] }>

/** States of recipients that a change can be made to. */
export const CHANGEABLE: Readonly<Record<Change['action'], readonly RecipientState[]>> = {
  hold: ['queued', 'deferred'],
  release: ['held'],
  retry: ['deferred'],
  delete: ['queued', 'deferred', 'held'],
  reroute: ['queued', 'deferred', 'held'],
  priority: ['queued', 'deferred', 'held'],
}

/** Only while nothing else changes deferrals: see `OperationParts.alone`. */
export async function changeMessage(
  parts: OperationParts,
  { queueId, recipients }: Selected,
  change: Change,
  who: string,
  filter: unknown,
): Promise<Changed> {
  const { backends, now } = parts
  const { records, together } = backends
  const wanted = new Set(recipients.map(({ recipient }) => recipient))
  const queued = recipients.some(({ state }) => state === 'queued')
  const leases = queued ? await leasesOf(parts, queueId) : []
  try {
    const pieces = [
      ...leases.flatMap(lease => pieceOfLease(parts, lease, wanted)),
      ...(await records.deferralsOf(queueId)).flatMap(deferral => pieceOfDeferral(parts, deferral, wanted)),
    ]
    const got = new Set(pieces.flatMap(({ job }) => job.recipients))
    // Held by a verdict: there is no job for them.
    const bare = recipients.filter(({ state, recipient }) => state === 'held' && !got.has(recipient))
    const bareRecipients = bare.map(({ recipient }) => recipient)
    const busy = [...wanted].filter(recipient => !got.has(recipient) && !bareRecipients.includes(recipient))
    const { writes, done } = writesFor(parts, change, queueId, pieces, bareRecipients)
    const unfit = [...got, ...bareRecipients].filter(recipient => !done.includes(recipient))
    if (done.length > 0) {
      const event = { at: now(), event: 'operator', action: change.action, by: who, recipients: done } as const
      const why = 'to' in change ? { why: `to ${change.to}` } : 'priority' in change ? { why: change.priority } : {}
      const end = change.action === 'delete' ? await contentRemoval(parts, queueId, done) : []
      await together(...writes, () => records.note(queueId, [{ ...event, ...why }], []), ...end)
      audit(parts, { action: change.action, who, queueId, recipients: done, filter, ...why })
    }
    return { queueId, recipients: done, busy, unfit }
  } finally {
    // Those that were settled are not ours any more: this changes nothing about them.
    await Promise.allSettled(leases.map(lease => queueOf(parts, lease.job).release(lease as Lease<never>)))
  }
}

async function leasesOf({ backends }: OperationParts, queueId: string): Promise<Lease<Job>[]> {
  const [scan, delivery] = await Promise.all([
    backends.scanJobs.leaseOf(queueId),
    backends.deliveryJobs.leaseOf(queueId),
  ])
  return [...scan, ...delivery]
}

function pieceOfLease(parts: OperationParts, lease: Lease<Job>, wanted: ReadonlySet<string>): Piece[] {
  const { job } = lease
  const { mine, rest } = divide(job, wanted)
  if (mine.length === 0) return []
  const queue = queueOf(parts, job)
  const ours = lease as Lease<never>
  if (rest.length === 0) return [{ job, held: false, deferral: false, detach: [() => queue.done(ours)] }]
  const detach = [() => queue.narrow(ours, rest)]
  return [{ job: splitOff(job, mine), held: false, deferral: false, detach }]
}

function pieceOfDeferral({ backends }: OperationParts, deferral: Deferral, wanted: ReadonlySet<string>): Piece[] {
  const { job, dueAt } = deferral
  const { mine, rest } = divide(job, wanted)
  if (mine.length === 0) return []
  const held = dueAt === HELD
  const { records } = backends
  if (rest.length === 0) return [{ job, held, dueAt, deferral: true, detach: [() => records.undefer(job.id)] }]
  const detach = [() => records.defer({ job: { ...job, recipients: rest }, dueAt })]
  return [{ job: splitOff(job, mine), held, dueAt, deferral: false, detach }]
}

function divide(job: Job, wanted: ReadonlySet<string>): Readonly<{ mine: string[]; rest: string[] }> {
  return {
    mine: job.recipients.filter(recipient => wanted.has(recipient)),
    rest: job.recipients.filter(recipient => !wanted.has(recipient)),
  }
}

function splitOff(job: Job, recipients: readonly string[]): Job {
  return { ...job, id: splitJobId(job, randomBytes(6).toString('hex')), recipients }
}

function queueOf({ backends }: OperationParts, job: Job) {
  return job.kind === 'scan' ? backends.scanJobs : backends.deliveryJobs
}

/** The writes of a change, and the recipients that it is made to. First what is new, last what is taken away. */
function writesFor(
  parts: OperationParts,
  change: Change,
  queueId: string,
  pieces: readonly Piece[],
  bare: readonly string[],
): Readonly<{ writes: readonly Write[]; done: readonly string[] }> {
  const { records, scanJobs } = parts.backends
  const at = parts.now()
  const move = (recipients: readonly string[], state: RecipientState): Write => {
    const changes = recipients.map(recipient => ({ recipient, state }))
    return () => records.note(queueId, [], changes)
  }
  const recipientsOf = (some: readonly Piece[]) => some.flatMap(({ job }) => job.recipients)
  const defer = ({ job, deferral, detach }: Piece, dueAt: number): Write[] => [
    () => records.defer({ job, dueAt }),
    ...(deferral ? [] : detach),
  ]

  switch (change.action) {
    case 'hold': {
      const mine = pieces.filter(({ held }) => !held)
      const done = recipientsOf(mine)
      return { done, writes: [...mine.flatMap(piece => defer(piece, HELD)), move(done, 'held')] }
    }
    case 'release': {
      const mine = pieces.filter(({ held }) => held)
      const done = [...recipientsOf(mine), ...bare]
      const enqueue = mine.flatMap(({ job, detach }) => [() => enqueueJob(parts, job), ...detach])
      // What a verdict held goes to the scanners again: nothing is passed on that they have not seen.
      const id = `${queueId}/scan/1/${randomBytes(6).toString('hex')}`
      const scan = { kind: 'scan', id, queueId, recipients: bare, attempt: 1 } as const
      const rescan = bare.length > 0 ? [() => scanJobs.enqueue(scan)] : []
      return { done, writes: [...enqueue, ...rescan, move(done, 'queued')] }
    }
    case 'retry': {
      const mine = pieces.filter(({ held }) => !held)
      return { done: recipientsOf(mine), writes: mine.flatMap(piece => defer(piece, at)) }
    }
    case 'delete': {
      const done = [...recipientsOf(pieces), ...bare]
      return { done, writes: [move(done, 'deleted'), ...pieces.flatMap(({ detach }) => detach)] }
    }
    case 'reroute': {
      const mine = pieces.flatMap(piece =>
        piece.job.kind === 'delivery' ? [{ ...piece, job: { ...piece.job, to: change.to } }] : [],
      )
      const writes = mine.flatMap(piece => [
        ...defer(piece, piece.held ? HELD : at),
        move(piece.job.recipients, piece.held ? 'held' : 'deferred'),
      ])
      return { done: recipientsOf(mine), writes }
    }
    case 'priority': {
      const { priority } = change
      const writes = pieces.flatMap(({ dueAt, ...piece }) => {
        const job = { ...piece.job, priority }
        if (dueAt !== undefined) return defer({ ...piece, job }, dueAt)
        // The old one is still on the queue when the new one comes: that takes another id.
        return [() => enqueueJob(parts, splitOff(job, job.recipients)), ...piece.detach]
      })
      return { done: recipientsOf(pieces), writes }
    }
  }
}

function enqueueJob({ backends }: OperationParts, job: Job): Promise<void> {
  return job.kind === 'scan' ? backends.scanJobs.enqueue(job) : backends.deliveryJobs.enqueue(job)
}

/** The content goes with the last recipient. */
export async function contentRemoval(
  { backends }: OperationParts,
  queueId: string,
  ended: readonly string[],
): Promise<Write[]> {
  const record = await backends.records.get(queueId)
  const open = record?.recipients.filter(({ state, recipient }) => !isFinal(state) && !ended.includes(recipient))
  return open?.length === 0 ? [() => backends.messages.remove(queueId)] : []
}
