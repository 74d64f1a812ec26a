// Sessions with next hops, kept for the next message: at most so many at a time to each next hop, so many messages on
// each, closed when idle. Who finds none free waits in line, and before that for the next hop's rate to allow a turn,
// until the attempt's end or its signal.
// A kept session that the next hop had closed meanwhile is replaced once by a fresh one; that is no failure.
import { setTimeout as sleep } from 'node:timers/promises'
import { type NextHop, nextHopKey } from './next-hop.ts'
import type { TlsSessions } from './next-hop-tls.ts'
import { nextTurn, turnInterval } from './rate-limit.ts'
import { type DeliveryTimeouts, NextHopError } from './smtp-connection.ts'
import { type Attempt, openSession, quit, type SmtpSession } from './smtp-session.ts'
import { StaleConnectionError } from './smtp-transaction.ts'

/** Where the next hop does not say otherwise. */
export const DEFAULT_CONNECTIONS = 20
export const DEFAULT_MESSAGES_PER_CONNECTION = 100

export type PoolOptions = Readonly<{
  hostname: string
  timeouts: DeliveryTimeouts
  /** Milliseconds after which a session that nobody needs is closed. */
  idleTime: number
}>

type Work = (session: SmtpSession) => Promise<void>

export type ConnectionPool = Readonly<{
  /** Runs `work` on a session that is nobody else's meanwhile. Rejects as `openSession` and `work` do. */
  use(nextHop: NextHop, attempt: Attempt, work: Work): Promise<void>
  /** Takes leave of all idle next hops; sessions in use are closed when they come back. */
  close(): Promise<void>
}>

type Place = {
  /** Who wants, or has, a session of this next hop: the place is forgotten when nobody is left. */
  users: number
  /** The turn that was given out last, as `nextTurn` says. */
  previousTurn: number | undefined
  /** Connections that exist or are being made. */
  connections: number
  /** The one used last is at the end. */
  readonly idle: { session: SmtpSession; timer: NodeJS.Timeout }[]
  /** Each gets a kept session, or undefined: the right to make a connection. */
  readonly line: ((session: SmtpSession | undefined) => void)[]
}

export function createConnectionPool(options: PoolOptions): ConnectionPool {
  const { timeouts, idleTime } = options
  const places = new Map<string, Place>()
  const leaving = new Set<Promise<void>>()
  const tlsSessions: TlsSessions = new Map()
  let closed = false

  function placeOf(key: string): Place {
    const place = places.get(key) ?? { users: 0, previousTurn: undefined, connections: 0, idle: [], line: [] }
    places.set(key, place)
    return place
  }

  /** The world has many mail servers. A place whose next turn is still to come must not be forgotten. */
  function forgetUnused(key: string, { users, connections, previousTurn = 0 }: Place): void {
    if (users === 0 && connections === 0 && previousTurn < performance.now()) places.delete(key)
  }

  /** A kept session, or undefined once another connection may be made. */
  function take(
    place: Place,
    limit: number,
    attempt: Attempt,
  ): Promise<SmtpSession | undefined> | SmtpSession | undefined {
    for (let kept = place.idle.pop(); kept !== undefined; kept = place.idle.pop()) {
      clearTimeout(kept.timer)
      if (isUsable(kept.session)) return kept.session
      leave(kept.session)
      place.connections--
    }
    if (place.connections >= limit) return waitInLine(place, limit, attempt)
    place.connections++
    return undefined
  }

  function waitInLine({ line }: Place, limit: number, { endBy, signal }: Attempt): Promise<SmtpSession | undefined> {
    return new Promise((resolve, reject) => {
      const turn = (session: SmtpSession | undefined) => {
        stopWaiting()
        resolve(session)
      }
      const giveUp = (error: unknown) => {
        stopWaiting()
        line.splice(line.indexOf(turn), 1)
        reject(error)
      }
      const onAbort = () => giveUp(signal?.reason)
      const timer = setTimeout(
        () => giveUp(new NextHopError(`all ${limit} connections are busy`)),
        Math.max(0, endBy - performance.now()),
      )
      const stopWaiting = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
      }
      signal?.addEventListener('abort', onAbort)
      line.push(turn)
    })
  }

  /** `session` is undefined when none came about or it was left already. */
  function giveBack(key: string, place: Place, session: SmtpSession | undefined): void {
    const next = place.line.shift()
    const most = session?.nextHop.messagesPerConnection ?? DEFAULT_MESSAGES_PER_CONNECTION
    const keep = session !== undefined && !closed && isUsable(session) && session.transactions < most
    if (keep && next !== undefined) next(session)
    else if (keep) keepIdle(key, place, session)
    else {
      if (session !== undefined) leave(session)
      if (next !== undefined) next(undefined)
      else place.connections--
    }
  }

  function keepIdle(key: string, place: Place, session: SmtpSession): void {
    const timer = setTimeout(() => {
      place.idle.splice(place.idle.indexOf(kept), 1)
      place.connections--
      leave(session)
      forgetUnused(key, place)
    }, idleTime)
    const kept = { session, timer }
    place.idle.push(kept)
  }

  function leave(session: SmtpSession): void {
    const left = quit(session, timeouts.quit).finally(() => leaving.delete(left))
    leaving.add(left)
  }

  async function useAt(key: string, place: Place, nextHop: NextHop, attempt: Attempt, work: Work): Promise<void> {
    await waitForTurn(place, nextHop, attempt)
    attempt.signal?.throwIfAborted()
    let session = await take(place, nextHop.connections ?? DEFAULT_CONNECTIONS, attempt)
    try {
      if (session !== undefined) {
        try {
          return await work(session)
        } catch (error) {
          if (!(error instanceof StaleConnectionError)) throw error
          leave(session)
          session = undefined
        }
      }
      session = await openSession(nextHop, { ...options, tlsSessions }, attempt)
      await work(session)
    } finally {
      giveBack(key, place, session)
    }
  }

  return {
    async use(nextHop, attempt, work) {
      attempt.signal?.throwIfAborted()
      const key = nextHopKey(nextHop)
      const place = placeOf(key)
      place.users++
      try {
        await useAt(key, place, nextHop, attempt, work)
      } finally {
        place.users--
        forgetUnused(key, place)
      }
    },
    async close() {
      closed = true
      for (const { idle } of places.values()) {
        for (const { session, timer } of idle.splice(0)) {
          clearTimeout(timer)
          leave(session)
        }
      }
      await Promise.all(leaving)
    },
  }
}

/** Waits as long as the next hop's rate wants; not at all when the attempt would be over by then. */
async function waitForTurn(place: Place, { rate }: NextHop, { endBy, signal }: Attempt): Promise<void> {
  if (rate === undefined) return
  const now = performance.now()
  const { at, previous } = nextTurn(place.previousTurn, rate, now)
  if (at > endBy) throw new NextHopError('its rate leaves no turn for this attempt')
  place.previousTurn = previous
  if (at <= now) return
  try {
    await sleep(at - now, undefined, { ...(signal === undefined ? {} : { signal }) })
  } catch {
    place.previousTurn -= turnInterval(rate)
    throw signal?.reason
  }
}

/** Both sides agree on where they are, and the next hop said nothing unasked, such as 421 before it closes. */
function isUsable({ reusable, connection }: SmtpSession): boolean {
  return reusable && connection.isOpen() && connection.waiting() === 0
}
