// Greylisting as a decision: what was known of a client, sender and recipient, the time, the settings; what to answer,
// and what to know from now on. Pure.
import type { PolicyEntry, PolicyValue } from '../storage/policy-store.ts'

/** All in milliseconds, but `autoAllow`, which counts messages. */
export type GreylistTimes = Readonly<{ delay: number; retryWindow: number; lifetime: number; autoAllow: number }>

/** What is kept of a client network, sender and recipient. Times are milliseconds since 1970. */
export type Triplet = Readonly<{
  firstSeen: number
  lastSeen: number
  /** 0 while it waits. */
  passes: number
}>

/** What is kept of a client, whoever writes to whom. */
export type ClientHistory = Readonly<{
  /** Messages that passed. */
  passes: number
  /** Queue id of the last one: a message counts once, however many recipients it has. */
  last: string
  /** An operator said so. */
  allowed: boolean
}>

type Entry = Pick<PolicyEntry, 'value' | 'expiresAt'>

export type GreylistDecision =
  | Readonly<{ kind: 'known' }>
  /** `cost`: milliseconds since it was first seen. */
  | Readonly<{ kind: 'waited'; cost: number }>
  /** `wait`: milliseconds until it may come back. */
  | Readonly<{ kind: 'new' | 'early'; wait: number }>

/**
 * What to answer, and what stands there from now on; no `entry`: what is there stays. An entry whose time is over is
 * none: the retry window and the lifetime end by that.
 */
export function decideTriplet(
  current: Entry | undefined,
  now: number,
  { delay, retryWindow, lifetime }: GreylistTimes,
): Readonly<{ decision: GreylistDecision; entry?: Entry }> {
  const known = current === undefined || current.expiresAt <= now ? undefined : readTriplet(current.value)
  if (current === undefined || known === undefined) {
    const value: Triplet = { firstSeen: now, lastSeen: now, passes: 0 }
    return { decision: { kind: 'new', wait: delay }, entry: { value, expiresAt: now + retryWindow } }
  }
  const { firstSeen, passes } = known
  if (passes === 0 && now < firstSeen + delay) {
    return { decision: { kind: 'early', wait: firstSeen + delay - now } }
  }
  const value: Triplet = { firstSeen, lastSeen: now, passes: passes + 1 }
  // One that an operator allowed for longer keeps its time.
  const expiresAt = passes === 0 ? now + lifetime : Math.max(current.expiresAt, now + lifetime)
  return {
    decision: passes === 0 ? { kind: 'waited', cost: now - firstSeen } : { kind: 'known' },
    entry: { value, expiresAt },
  }
}

/** Whether a client is deferred at all. */
export function clientStanding(
  entry: Entry | undefined,
  { autoAllow }: Pick<GreylistTimes, 'autoAllow'>,
): 'allowed' | 'auto-allowed' | 'counting' {
  const history = entry && readClient(entry.value)
  if (history === undefined) return 'counting'
  if (history.allowed) return 'allowed'
  return autoAllow > 0 && history.passes >= autoAllow ? 'auto-allowed' : 'counting'
}

/** A client's history after one of its messages passed; undefined: it is in there, or an operator has decided. */
export function countPass(
  current: Entry | undefined,
  queueId: string,
  now: number,
  { lifetime }: Pick<GreylistTimes, 'lifetime'>,
): Entry | undefined {
  const { passes, last, allowed } = (current && readClient(current.value)) ?? { passes: 0, last: '', allowed: false }
  if (allowed || last === queueId) return undefined
  const value: ClientHistory = { passes: passes + 1, last: queueId, allowed }
  return { value, expiresAt: now + lifetime }
}

/** Undefined for a value that is no triplet. */
export function readTriplet({ firstSeen, lastSeen, passes }: PolicyValue): Triplet | undefined {
  if (typeof firstSeen !== 'number' || typeof lastSeen !== 'number' || typeof passes !== 'number') return undefined
  return { firstSeen, lastSeen, passes }
}

/** Undefined for a value that is no history. */
export function readClient({ passes, last, allowed }: PolicyValue): ClientHistory | undefined {
  if (typeof passes !== 'number' || typeof last !== 'string' || typeof allowed !== 'boolean') return undefined
  return { passes, last, allowed }
}
