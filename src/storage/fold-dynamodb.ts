// What is ordinary about a message, each in one conditional write on its only item: it is accepted with its job, a job ends
// and the next one begins, the last one ends with the ends of all recipients. Given several steps that are done together,
// finds those that are one of these. Whoever settles must show the lease's token; `settled` keeps it, so that a repeated
// request knows its own effect. False where the message is not as it must be, unfolded for instance: then nothing was
// changed, and the steps are done one by one.
import type { Job } from '../mail/job.ts'
import { timePrefix } from '../mail/queue-id.ts'
import {
  type AcceptedMessage,
  isFinal,
  type RecipientState,
  type RecipientStatus,
  type TraceEvent,
} from '../mail/record.ts'
import {
  endAttribute,
  foldedItem,
  foldedJobId,
  foldedToken,
  isFoldedToken,
  jobAttributes,
  type KnownLease,
  type Leases,
  OPEN_ATTRIBUTES,
  packTold,
  type Told,
} from './folded-item-dynamodb.ts'
import type { Lease } from './job-queue.ts'
import { pack, unpack } from './packed-text.ts'
import { distinctRecipients, type EventClock, type JobStanding } from './record-items-dynamodb.ts'
import { eventKey, messageKey } from './record-keys-dynamodb.ts'
import { octetsOf, type Table, type Value } from './table-dynamodb.ts'
import type { Merged } from './write-steps.ts'

export type Intent =
  | Readonly<{ what: 'create'; message: AcceptedMessage; event: TraceEvent }>
  | Readonly<{ what: 'note'; queueId: string; events: readonly TraceEvent[]; changes: readonly RecipientStatus[] }>
  /** `leased`: for the one who puts it, if it can be. */
  | Readonly<{ what: 'put'; job: Job; leased: boolean }>
  | Readonly<{ what: 'done'; lease: Lease<Job> }>

/** Beyond these a message is not folded: each write would cost as many units as it has KiB. */
const MOST_RECIPIENTS = 20
const MOST_OCTETS = 4000
/**
 * Milliseconds since its id was minted: the ledger's cursor goes past what is older (young-messages-dynamodb), and must
 * not pass a message before it is there.
 */
const MOST_AGE = 60_000
/** Octets of an item that a write unit pays for; events that would not fit become an item of their own. */
const UNIT = 1024
/** Octets that the mark of a final dot will take. */
const MARK = 120

type Written = Pick<KnownLease, 'octets' | 'apart'>

export type FoldParts = Readonly<{
  table: Table
  leases: Leases
  now: () => number
  /** Milliseconds. */
  leaseTime: number
  /** Milliseconds that a story is kept after its end; 0: for ever. */
  keep: number
  nextEventAt: EventClock
}>

/** For createWriteSteps. */
export function createFold({ table, leases, now, leaseTime, keep, nextEventAt }: FoldParts) {
  function tell(events: readonly TraceEvent[]): Told[] {
    return events.length === 0 ? [] : [{ at: nextEventAt(), doc: JSON.stringify(events) }]
  }

  /** The message comes with its first job, and is no more than that. */
  function acceptance(intents: readonly (Intent | undefined)[]): Merged | undefined {
    const [create, ...others] = intents
    if (create?.what !== 'create') return undefined
    const { message, event } = create
    const { queueId } = message
    const after = others.findIndex(
      intent => intent === undefined || intent.what === 'create' || idOf(intent) !== queueId,
    )
    const mine = after === -1 ? others : others.slice(0, after)
    const { jobs, events, changes, leases: settled } = sorted(mine)
    const [job] = jobs
    if (job === undefined || jobs.length > 1 || settled.length > 0) return undefined
    const recipients = distinctRecipients(message)
    if (recipients.length > MOST_RECIPIENTS || queueId < timePrefix(now() - MOST_AGE)) return undefined
    if (!isWhole(job, queueId, recipients) || changes.some(({ state }) => state !== 'queued')) return undefined
    const item = foldedItem(message, event, tell(events), job, now())
    if (octetsOf(item) > MOST_OCTETS) return undefined
    return async () => {
      if ((await table.write({ put: item, condition: 'attribute_not_exists(#pk)' })) === undefined) {
        // The answer was lost, and this is the same request again, or else it is another message.
        const found = await table.get(messageKey(queueId))
        if (found === undefined || unpack(found.doc) !== unpack(item.doc)) throw hasRecord(queueId)
      }
      return resultsOf([create, ...mine])
    }
  }

  /** A job ends, and with it all recipients, or the next job begins. */
  function settlement(intents: readonly (Intent | undefined)[]): Merged | undefined {
    const queueId = intents[0] && idOf(intents[0])
    if (queueId === undefined) return undefined
    const end = intents.findIndex(intent => intent?.what === 'create' || (intent && idOf(intent) !== queueId))
    const mine = end === -1 ? intents : intents.slice(0, end)
    const { jobs, events, changes, leases: settled } = sorted(mine)
    const [lease] = settled
    if (lease === undefined || settled.length > 1 || jobs.length > 1 || !isFoldedToken(lease.token)) return undefined
    const [job] = jobs
    const { recipients } = lease.job
    const ends = new Map(changes.map(({ recipient, state }) => [recipient, state]))
    if (ends.size < changes.length) return undefined
    if (job === undefined) {
      if (!recipients.every(recipient => isFinal(ends.get(recipient) ?? 'queued'))) return undefined
    } else if (!isWhole(job, queueId, recipients) || changes.some(({ state }) => state !== 'queued')) return undefined
    return async () => {
      if (job === undefined) return (await finish(lease, events, ends)) ? resultsOf(mine) : undefined
      const next = standingOf(mine.some(intent => intent?.what === 'put' && intent.leased))
      const written = await goOn(lease, events, job, next)
      if (written === undefined) return undefined
      const { token, tries, enqueuedAt } = next
      if (token === undefined) return resultsOf(mine)
      leases.set(token, { queueId, recipients: job.recipients, ...written })
      return resultsOf(mine, { job, tries, enqueuedAt, token })
    }
  }

  function standingOf(leased: boolean): JobStanding {
    const at = now()
    if (!leased) return { enqueuedAt: at, visibleAt: at, tries: 0 }
    return { enqueuedAt: at, visibleAt: at + leaseTime, tries: 1, token: foldedToken() }
  }

  /** The item afterwards; undefined where nothing was done. */
  async function goOn(
    lease: Lease<Job>,
    events: readonly TraceEvent[],
    job: Job,
    { token, ...standing }: JobStanding,
  ): Promise<Written | undefined> {
    const { octets = 0 } = leases.get(lease.token) ?? {}
    let told = tell(events)
    let attributes: Readonly<Record<string, Value>> & { job: Uint8Array } = { ...jobAttributes(job), ...standing }
    const without = octets + attributes.job.length + MARK
    const more = told.reduce((sum, one) => sum + packTold(one).length, 0)
    if (Math.ceil((without + more) / UNIT) > Math.ceil(without / UNIT)) {
      for (const { at, doc } of told) await table.write({ put: { ...eventKey(job.queueId, at), doc: pack(doc) } })
      told = []
      attributes = { ...attributes, apart: true }
    }
    const sets = Object.keys(attributes).map(name => `#${name} = :${name}`)
    const marks = ['sending', 'sendingBy', 'claimUntil']
    return token === undefined
      ? settle(lease, told, sets, attributes, ['token', ...marks])
      : settle(lease, told, [...sets, '#token = :next'], { ...attributes, next: token }, marks)
  }

  async function finish(lease: Lease<Job>, events: readonly TraceEvent[], ends: ReadonlyMap<string, RecipientState>) {
    // Events in items of their own would stay behind: such a story is for `forget`.
    const expires = keep > 0 && leases.get(lease.token)?.apart === false
    const sets = ['#folded = :ended', '#states = :states', ...(expires ? ['#expiresAt = :expiresAt'] : [])]
    const values = { ended: 'ended', states: endAttribute(ends), ...(expires && { expiresAt: expiryOf(now() + keep) }) }
    const written = await settle(lease, tell(events), sets, values, OPEN_ATTRIBUTES)
    return written !== undefined
  }

  async function settle(
    { job, token }: Lease<Job>,
    told: readonly Told[],
    sets: readonly string[],
    values: Readonly<Record<string, Value>>,
    removed: readonly string[],
  ): Promise<Written | undefined> {
    const telling = told.length === 0 ? [] : ['#told = list_append(if_not_exists(#told, :none), :events)']
    const expression = `SET ${[...sets, ...telling, '#settled = :token'].join(', ')} REMOVE ${removed.map(name => `#${name}`).join(', ')} ADD #turn :one`
    const item = await table.write({
      update: messageKey(job.queueId),
      expression,
      condition: '#folded = :open AND #token = :token',
      values: {
        ...values,
        open: 'open',
        token,
        one: 1,
        ...(told.length > 0 && { none: [], events: told.map(packTold) }),
      },
    })
    const found = item ?? (await table.get(messageKey(job.queueId)))
    if (found?.settled !== token) return undefined
    leases.delete(token)
    return { octets: octetsOf(found), apart: found.apart === true }
  }

  return (intents: readonly (Intent | undefined)[]): Merged | undefined => acceptance(intents) ?? settlement(intents)
}

/** Seconds. */
const expiryOf = (at: number) => Math.ceil(at / 1000)

function hasRecord(queueId: string): Error {
  return new Error(`there is a record of ${queueId} already`)
}

function idOf(intent: Intent): string {
  switch (intent.what) {
    case 'create':
      return intent.message.queueId
    case 'note':
      return intent.queueId
    case 'put':
      return intent.job.queueId
    case 'done':
      return intent.lease.job.queueId
  }
}

function sorted(intents: readonly (Intent | undefined)[]) {
  const notes = intents.flatMap(intent => (intent?.what === 'note' ? [intent] : []))
  return {
    events: notes.flatMap(({ events }) => events),
    changes: notes.flatMap(({ changes }) => changes),
    jobs: intents.flatMap(intent => (intent?.what === 'put' ? [intent.job] : [])),
    leases: intents.flatMap(intent => (intent?.what === 'done' ? [intent.lease] : [])),
  }
}

/** The one job of all recipients. */
function isWhole({ id, queueId, kind, recipients }: Job, wanted: string, all: readonly string[]): boolean {
  const mine = new Set(recipients)
  return (
    queueId === wanted &&
    id === foldedJobId(wanted, kind) &&
    mine.size === all.length &&
    all.every(recipient => mine.has(recipient))
  )
}

/** `put`: what putting the job resolves with. */
function resultsOf(intents: readonly (Intent | undefined)[], put: Lease<Job> | true = true): Map<number, unknown> {
  const results = { create: undefined, note: undefined, put, done: true }
  return new Map(intents.flatMap((intent, place) => (intent === undefined ? [] : [[place, results[intent.what]]])))
}
