// Sends a message to a destination: asks whether one may go there now, then tries its next hops in order until one
// lets us speak of the message. From then on the attempt is that one's: a message goes out once.
// Every recipient gets a result or, when the attempt is called off or an error comes that is not the next hop's, none.

import type { Protection } from '../mail/record.ts'
import { createNextHopChoice, type RankedNextHop } from './choose-next-hop.ts'
import { createConnectionPool, DEFAULT_CONNECTIONS, type PoolOptions } from './connection-pool.ts'
import type { Destinations, Ending, Postponed } from './destinations.ts'
import type { DotMark } from './dot-mark.ts'
import { type FailureReason, reasonOf } from './failure-reason.ts'
import type { NextHop } from './next-hop.ts'
import type { Outcome } from './outcome.ts'
import { nextHopName } from './routes.ts'
import { NextHopError } from './smtp-connection.ts'
import type { SmtpSession } from './smtp-session.ts'
import { runTransaction, StaleConnectionError, type Transaction } from './smtp-transaction.ts'

/** `name`: for people, where none of the next hops was asked. */
export type Way = Readonly<{ key: string; name: string; nextHops: readonly RankedNextHop[] }>

export type Result = Omit<Outcome, 'seconds'> & Readonly<{ reason?: FailureReason }>

export type Errand = Readonly<{
  endBy: number
  signal: AbortSignal | undefined
  recipients: readonly string[]
  transaction(recipients: readonly string[]): Transaction
  mark: DotMark | undefined
  /** Takes results; a recipient that has one keeps it. Never rejects. */
  report(results: readonly Result[]): Promise<void>
}>

export type SenderOptions = PoolOptions &
  Readonly<{
    destinations: Destinations
    /** Per transaction. */
    maxRecipients: number
    now: () => number
    random: () => number
    onPostponed(postponed: Postponed, recipients: number): void
  }>

export type Sender = Readonly<{
  /** Rejects with the signal's reason or what the content throws. */
  send(way: Way, errand: Errand): Promise<void>
  close(): Promise<void>
}>

export function createSender(options: SenderOptions): Sender {
  const { destinations, maxRecipients, timeouts, onPostponed } = options
  const pool = createConnectionPool(options)
  const choice = createNextHopChoice(options)

  async function send(way: Way, errand: Errand): Promise<void> {
    const { recipients, report } = errand
    const entered = await destinations.enter(destinationOf(way), errand)
    if (entered.kind === 'postponed') {
      const { why: reply, retryAt } = entered
      onPostponed(entered, recipients.length)
      return report(recipients.map(recipient => ({ recipient, kind: 'deferred', nextHop: way.name, reply, retryAt })))
    }
    let ending: Ending = { kind: 'untold' }
    try {
      ending = await sendAll(way, errand)
    } finally {
      entered.leave(ending)
    }
  }

  async function sendAll({ nextHops, name }: Way, errand: Errand): Promise<Ending> {
    const { recipients, signal, report } = errand
    let asked = name
    try {
      for (let from = 0; from < recipients.length; from += maxRecipients) {
        const some = recipients.slice(from, from + maxRecipients)
        await tryInOrder(choice.order(nextHops), some, errand, nextHop => {
          asked = nextHopName(nextHop)
        })
      }
      return { kind: 'served' }
    } catch (error) {
      if (signal?.aborted || !(error instanceof NextHopError)) throw error
      const { message: reply } = error
      const reason = reasonOf(error)
      const unsafe = reason === 'tls' ? { tlsFailure: reply } : {}
      const result = { kind: 'deferred', nextHop: asked, reply, reason, ...unsafe } as const
      await report(recipients.map(recipient => ({ recipient, ...result })))
      return error.about === 'message' ? { kind: 'untold' } : { kind: 'failed', why: reply }
    }
  }

  async function tryInOrder(
    nextHops: readonly NextHop[],
    recipients: readonly string[],
    errand: Errand,
    onAsk: (nextHop: NextHop) => void,
  ): Promise<void> {
    for (const [n, nextHop] of nextHops.entries()) {
      const talk = { begun: false }
      onAsk(nextHop)
      try {
        await transact(nextHop, recipients, errand, talk)
        return choice.worked(nextHop)
      } catch (error) {
        if (errand.signal?.aborted || !(error instanceof NextHopError)) throw error
        if (error.about !== 'message') choice.failed(nextHop)
        const isLast = n === nextHops.length - 1
        if (talk.begun || isLast || performance.now() >= errand.endBy) throw error
      }
    }
  }

  async function transact(
    nextHop: NextHop,
    recipients: readonly string[],
    { endBy, signal, transaction, mark, report }: Errand,
    talk: { begun: boolean },
  ): Promise<void> {
    const name = nextHopName(nextHop)
    await pool.use(nextHop, { endBy, signal }, async session => {
      const about = { nextHop: name, remoteAddress: session.connection.remoteAddress, ...protectionOfSession(session) }
      talk.begun = true
      try {
        await runTransaction(session, transaction(recipients), {
          timeouts,
          endBy,
          signal,
          mark,
          report: results => report(results.map(one => ({ ...one, ...about }))),
        })
      } catch (error) {
        // Nobody was there any more; the next session begins from nothing.
        if (error instanceof StaleConnectionError) talk.begun = false
        throw error
      }
    })
  }

  return { send, close: pool.close }
}

function protectionOfSession({ tls, tlsFailure }: SmtpSession): Protection {
  if (tls !== undefined) return { tls: `${tls.version} ${tls.cipher}`, tlsVerified: tls.verified }
  return tlsFailure === undefined ? {} : { tlsFailure }
}

/** Those of the best priority share the work, so there may be the connections of all of them together. */
function destinationOf({ key, name, nextHops }: Way) {
  const best = Math.min(...nextHops.map(({ priority }) => priority))
  const limits = nextHops
    .filter(({ priority }) => priority === best)
    .map(({ nextHop }) => nextHop.connections ?? DEFAULT_CONNECTIONS)
  return { key, name, connections: limits.reduce((sum, limit) => sum + limit, 0), rate: nextHops[0]?.nextHop.rate }
}
