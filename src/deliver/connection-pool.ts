// Sessions with next hops, kept for the next message: at most so many at a time to each next hop, so many messages on
// each, closed when idle. Who finds none free waits in line, until the attempt's end or its signal.
// A kept session that the next hop had closed meanwhile is replaced once by a fresh one; that is no failure.
import { type DeliveryTimeouts, type NextHop, NextHopError } from './smtp-connection.ts'
import { type Attempt, openSession, quit, type SmtpSession } from './smtp-session.ts'
import { StaleConnectionError } from './smtp-transaction.ts'

export type PoolOptions = Readonly<{
  hostname: string
  timeouts: DeliveryTimeouts
  /** Per next hop. */
  maxConnections: number
  maxMessagesPerConnection: number
  /** Milliseconds after which a session that nobody needs is closed. */
  idleTime: number
}>

export type ConnectionPool = Readonly<{
  /** Runs `work` on a session that is nobody else's meanwhile. Rejects as `openSession` and `work` do. */
  use(nextHop: NextHop, attempt: Attempt, work: (session: SmtpSession) => Promise<void>): Promise<void>
  /** Takes leave of all idle next hops; sessions in use are closed when they come back. */
  close(): Promise<void>
}>

type Place = {
  /** Connections that exist or are being made. */
  connections: number
  /** The one used last is at the end. */
  readonly idle: { session: SmtpSession; timer: NodeJS.Timeout }[]
  /** Each gets a kept session, or undefined: the right to make a connection. */
  readonly line: ((session: SmtpSession | undefined) => void)[]
}

export function createConnectionPool(options: PoolOptions): ConnectionPool {
  const { timeouts, maxConnections, maxMessagesPerConnection, idleTime } = options
  const places = new Map<string, Place>()
  const leaving = new Set<Promise<void>>()
  let closed = false

  function placeOf({ protocol, host, port }: NextHop): Place {
    const key = `${protocol} ${host} ${port}`
    const place = places.get(key) ?? { connections: 0, idle: [], line: [] }
    places.set(key, place)
    return place
  }

  /** A kept session, or undefined once another connection may be made. */
  function take(place: Place, attempt: Attempt): Promise<SmtpSession | undefined> | SmtpSession | undefined {
    for (let kept = place.idle.pop(); kept !== undefined; kept = place.idle.pop()) {
      clearTimeout(kept.timer)
      if (isUsable(kept.session)) return kept.session
      leave(kept.session)
      place.connections--
    }
    if (place.connections >= maxConnections) return waitInLine(place, attempt)
    place.connections++
    return undefined
  }

  function waitInLine({ line }: Place, { endBy, signal }: Attempt): Promise<SmtpSession | undefined> {
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
        () => giveUp(new NextHopError(`all ${maxConnections} connections are busy`)),
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
  function giveBack(place: Place, session: SmtpSession | undefined): void {
    const next = place.line.shift()
    const keep =
      session !== undefined && !closed && isUsable(session) && session.transactions < maxMessagesPerConnection
    if (keep && next !== undefined) next(session)
    else if (keep) keepIdle(place, session)
    else {
      if (session !== undefined) leave(session)
      if (next !== undefined) next(undefined)
      else place.connections--
    }
  }

  function keepIdle(place: Place, session: SmtpSession): void {
    const timer = setTimeout(() => {
      place.idle.splice(place.idle.indexOf(kept), 1)
      place.connections--
      leave(session)
    }, idleTime)
    const kept = { session, timer }
    place.idle.push(kept)
  }

  function leave(session: SmtpSession): void {
    const left = quit(session, timeouts.quit).finally(() => leaving.delete(left))
    leaving.add(left)
  }

  return {
    async use(nextHop, attempt, work) {
      attempt.signal?.throwIfAborted()
      const place = placeOf(nextHop)
      let session = await take(place, attempt)
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
        session = await openSession(nextHop, options, attempt)
        await work(session)
      } finally {
        giveBack(place, session)
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

/** Both sides agree on where they are, and the next hop said nothing unasked, such as 421 before it closes. */
function isUsable({ reusable, connection }: SmtpSession): boolean {
  return reusable && connection.isOpen() && connection.waiting() === 0
}
