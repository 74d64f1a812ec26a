// A folded message is one item: what was accepted, its only job, its events, and at last its end. A message is folded from
// its acceptance on while it goes the ordinary way: all its recipients are `queued` in one job, for scan and then for
// delivery, and come to their ends together. For everything else it is unfolded first (unfold-dynamodb), for good.
// `folded` says `open` or `ended`, and is absent from the item of a message that is not folded.
import { randomBytes } from 'node:crypto'
import type { Job } from '../mail/job.ts'
import type { AcceptedMessage, RecipientState, TraceEvent } from '../mail/record.ts'
import { pack, unpack } from './packed-text.ts'
import { distinctRecipients, type JobStanding } from './record-items-dynamodb.ts'
import { messageAge, messageKey } from './record-keys-dynamodb.ts'
import { lookOf } from './record-look-dynamodb.ts'
import type { Claim, Sending } from './record-store.ts'
import type { Item } from './table-dynamodb.ts'

export type Folded = Readonly<{
  message: AcceptedMessage
  states: ReadonlyMap<string, RecipientState>
  /** Counts the writes while it is open. */
  turn: number
  /** Absent: it has ended. */
  work?: Readonly<{ job: Job; standing: JobStanding }>
  /** The mark of a final dot, and the claim that came with it. */
  mark?: Readonly<{ sending: Sending; claim: Claim }>
}>

/** Events that were told at one time, as they are kept. */
export type Told = Readonly<{ at: string; doc: string }>

/** What a process knows of the leases that it has of folded messages, by their tokens. */
export type Leases = Map<string, KnownLease>
export type KnownLease = Readonly<{
  queueId: string
  /** Of the message's item. */
  octets: number
  /** Some of its events are items of their own. */
  apart: boolean
  /** All of the message. */
  recipients: readonly string[]
  /** As the lease has found it, or its worker has set it. */
  mark?: Folded['mark']
  /** Of their claim, milliseconds since 1970; absent: they are not claimed. */
  claimedUntil?: number
}>

/** Octets count here. */
const TOKEN = '~'
export const foldedToken = () => TOKEN + randomBytes(9).toString('base64url')
export const isFoldedToken = (token: string) => token.startsWith(TOKEN)

/** Attributes of an open message that are gone when it has ended or is unfolded. */
export const OPEN_ATTRIBUTES = [
  ...['work', 'job', 'enqueuedAt', 'visibleAt', 'tries', 'token'],
  ...['sending', 'sendingBy', 'claimUntil'],
] as const

/** What the item of a message begins with, folded or not. */
export function messageItem(message: AcceptedMessage, accepted: TraceEvent): Item {
  const { queueId } = message
  return {
    ...messageKey(queueId),
    doc: pack(JSON.stringify({ message, accepted })),
    look: lookOf(message),
    ...messageAge(queueId),
  }
}

export function acceptanceIn({ doc }: Item): Readonly<{ message: AcceptedMessage; accepted: TraceEvent }> {
  return JSON.parse(unpack(doc))
}

export function foldedItem(
  message: AcceptedMessage,
  accepted: TraceEvent,
  told: readonly Told[],
  job: Job,
  at: number,
): Item {
  return {
    ...messageItem(message, accepted),
    folded: 'open',
    ...jobAttributes(job),
    ...{ enqueuedAt: at, visibleAt: at, tries: 0 },
    turn: 0,
    ...(told.length > 0 && { told: told.map(packTold) }),
  }
}

/** What the message says is not said again. */
export function jobAttributes({ kind, id, queueId, recipients, ...job }: Job) {
  return { work: kind, job: pack(JSON.stringify(job)) }
}

/** The id of the only job that a folded message may have of a kind. */
export const foldedJobId = (queueId: string, kind: Job['kind']) => `${queueId}/${kind}/1`

/** Undefined of an item that is not folded. */
export function foldedIn(item: Item): Folded | undefined {
  if (item.folded === undefined) return undefined
  const { message } = acceptanceIn(item)
  const recipients = distinctRecipients(message)
  const turn = Number(item.turn)
  if (item.folded === 'ended') return { message, states: endStates(recipients, String(item.states)), turn }
  const states = new Map(recipients.map(recipient => [recipient, 'queued'] as const))
  const kind = item.work as Job['kind']
  const id = foldedJobId(message.queueId, kind)
  const job = { ...JSON.parse(unpack(item.job)), kind, id, queueId: message.queueId, recipients } as Job
  const standing = {
    enqueuedAt: Number(item.enqueuedAt),
    visibleAt: Number(item.visibleAt),
    tries: Number(item.tries),
    ...(item.token !== undefined && { token: String(item.token) }),
  }
  const claimant = String(item.sendingBy)
  const claim = { claimant, until: Number(item.claimUntil) }
  const mark =
    item.sending === undefined ? {} : { mark: { sending: { ...JSON.parse(unpack(item.sending)), claimant }, claim } }
  return { message, states, turn, work: { job, standing }, ...mark }
}

/** The ends of all recipients: one word where they are the same. */
export function endAttribute(states: ReadonlyMap<string, RecipientState>): string {
  const [first, ...others] = new Set(states.values())
  return others.length === 0 ? first! : JSON.stringify(Object.fromEntries(states))
}

function endStates(recipients: readonly string[], attribute: string): Map<string, RecipientState> {
  const each = attribute.startsWith('{') ? (JSON.parse(attribute) as Record<string, RecipientState>) : undefined
  return new Map(recipients.map(recipient => [recipient, each?.[recipient] ?? (attribute as RecipientState)]))
}

export const packTold = ({ at, doc }: Told): Uint8Array => pack(`${at} ${doc}`)

export function toldIn({ told = [] }: Item): Told[] {
  return (told as readonly Uint8Array[]).map(packed => {
    const text = unpack(packed)
    const end = text.indexOf(' ')
    return { at: text.slice(0, end), doc: text.slice(end + 1) }
  })
}
