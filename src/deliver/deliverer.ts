// Delivers a message: recipients grouped by route, the groups side by side, each recipient with exactly one outcome.
// Outcomes are handed over right after the next hop's answer; until that resolves nothing else is done for the group.
// Whatever goes wrong with a next hop, a file or the content is a deferral; an error that nobody foresaw is logged too.
import type { AcceptedMessage } from '../mail/record.ts'
import type { HeaderField } from '../mail/verdict.ts'
import { type Log, silentLog } from '../platform/log.ts'
import type { Content } from '../storage/message-store.ts'
import { createConnectionPool } from './connection-pool.ts'
import { contentWithTrace, headerHasUtf8 } from './content-with-trace.ts'
import { deliverToMaildir, maildirName } from './maildir.ts'
import type { Outcome } from './outcome.ts'
import { createRoutes, groupByRoute, nextHopName, type Route, type Target } from './routes.ts'
import { DEFAULT_TIMEOUTS, type DeliveryTimeouts, type NextHop, NextHopError } from './smtp-connection.ts'
import { runTransaction, type Transaction } from './smtp-transaction.ts'
import { type TraceHeader, traceHeader } from './trace-headers.ts'

export type DelivererOptions = Readonly<{
  routes: readonly Route[]
  /** Our name: in EHLO, in Received, and as the authserv-id that nobody else may use. */
  hostname: string
  limits?: Partial<DeliveryLimits>
  timeouts?: Partial<DeliveryTimeouts>
  /** Milliseconds, for the seconds of an outcome. */
  now?: () => number
  log?: Log
}>

export type DeliveryLimits = Readonly<{
  /** Per next hop. */
  maxConnections: number
  maxMessagesPerConnection: number
  /** Milliseconds until an unused connection is closed. */
  idleTime: number
  /** Per transaction; RFC 5321 §4.5.3.1.8: every server takes 100. */
  maxRecipients: number
}>

export const DEFAULT_LIMITS: DeliveryLimits = {
  maxConnections: 20,
  maxMessagesPerConnection: 100,
  idleTime: 30_000,
  maxRecipients: 100,
}

export type DeliveryRequest = Readonly<{
  message: AcceptedMessage
  content: Content
  recipients: readonly string[]
  /** Verdict headers. */
  headers: readonly HeaderField[]
}>

export type Deliverer = Readonly<{
  /**
   * One attempt. `onOutcome` gets each recipient once. Rejects with the signal's reason, recipients without an outcome
   * being untouched then, or with the first error of `onOutcome`; never for what next hops or contents do.
   */
  deliver(
    request: DeliveryRequest,
    onOutcome: (outcomes: Outcome[]) => Promise<void>,
    signal?: AbortSignal,
  ): Promise<void>
  /** From now on these routes hold; attempts that are on go their old way. Throws RangeError, changing nothing. */
  reroute(routes: readonly Route[]): void
  /** No `deliver` lasts longer than this, in milliseconds, but for maildirs on a disk that hangs. */
  readonly longestAttempt: number
  /** Closes the connections that were kept. */
  close(): Promise<void>
}>

type Result = Omit<Outcome, 'seconds'>
type Report = (results: readonly Result[]) => Promise<void>
type Attempt = Readonly<{ request: DeliveryRequest; endBy: number; signal: AbortSignal | undefined }>

/** Throws RangeError when the routes make no sense. */
export function createDeliverer(options: DelivererOptions): Deliverer {
  const { hostname, now = () => performance.now(), log = silentLog } = options
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts }
  let routes = createRoutes(options.routes)
  const pool = createConnectionPool({ hostname, timeouts, ...limits })

  async function deliver(
    request: DeliveryRequest,
    onOutcome: (outcomes: Outcome[]) => Promise<void>,
    signal?: AbortSignal,
  ): Promise<void> {
    signal?.throwIfAborted()
    const startedAt = now()
    const attempt = { request, endBy: performance.now() + timeouts.attempt, signal }
    const errors: unknown[] = []
    const undecided = new Set(request.recipients)

    /** Once for each recipient. An error of the caller does not disturb the dialogue with the next hop. */
    const report: Report = async results => {
      const seconds = (now() - startedAt) / 1000
      const outcomes = results.filter(({ recipient }) => undecided.delete(recipient)).map(one => ({ ...one, seconds }))
      if (outcomes.length > 0) await onOutcome(outcomes).catch(error => errors.push(error))
    }

    async function deliverGroup(target: Target | undefined, recipients: string[]): Promise<void> {
      let reply = 'the attempt ended without a result'
      try {
        await deliverTo(target, recipients, attempt, report)
      } catch (error) {
        if (signal?.aborted) return
        reply = error instanceof Error ? error.message : String(error)
        const { queueId } = request.message
        if (!(error instanceof NextHopError))
          log.error({ queueId, why: reply, stack: (error as Error)?.stack }, 'delivery-broke-off')
      }
      const nextHop = targetName(target)
      const left = recipients.filter(recipient => undecided.has(recipient))
      await report(left.map(recipient => ({ recipient, kind: 'deferred', nextHop, reply })))
    }

    const groups = groupByRoute([...undecided], routes)
    await Promise.all([...groups].map(([target, recipients]) => deliverGroup(target, recipients)))
    if (errors.length > 0) throw errors[0]
    if (undecided.size > 0) signal?.throwIfAborted()
  }

  async function deliverTo(target: Target | undefined, recipients: string[], attempt: Attempt, report: Report) {
    switch (target?.kind) {
      case undefined:
        throw new NextHopError('no route leads to this domain')
      case 'maildir':
        return await report(await storeInMaildir(target.path, recipients, attempt))
      case 'next-hop':
        for (let from = 0; from < recipients.length; from += limits.maxRecipients) {
          await send(target.nextHop, recipients.slice(from, from + limits.maxRecipients), attempt, report)
        }
    }
  }

  async function storeInMaildir(path: string, recipients: string[], { request, signal }: Attempt): Promise<Result[]> {
    const { message, content, headers } = request
    const copies = recipients.map(recipient => ({
      recipient,
      name: maildirName(message, recipient, hostname),
      content: () => contentWithTrace(content, { message, hostname, headers, deliveredTo: recipient }),
    }))
    const results = await deliverToMaildir(path, copies, signal)
    return results.map(({ recipient, kind, place, reply }) => ({ recipient, kind, reply, nextHop: `maildir:${place}` }))
  }

  async function send(nextHop: NextHop, recipients: string[], { request, endBy, signal }: Attempt, report: Report) {
    const { message, content, headers } = request
    const { reversePath, smtputf8, body } = message.envelope
    const trace: TraceHeader = { message, hostname, headers }
    const transaction: Transaction = {
      reversePath,
      recipients,
      smtputf8,
      body,
      size: traceHeader(trace).length + content.size,
      content: () => contentWithTrace(content, trace),
      headerHasUtf8: () => headerHasUtf8(content),
    }
    const name = nextHopName(nextHop)
    await pool.use(nextHop, { endBy, signal }, session => {
      const { remoteAddress } = session.connection
      return runTransaction(session, transaction, {
        timeouts,
        endBy,
        signal,
        report: results => report(results.map(one => ({ ...one, nextHop: name, remoteAddress }))),
      })
    })
  }

  function reroute(changed: readonly Route[]): void {
    routes = createRoutes(changed)
  }

  return { deliver, reroute, longestAttempt: timeouts.attempt + timeouts.dot, close: pool.close }
}

function targetName(target: Target | undefined): string {
  switch (target?.kind) {
    case undefined:
      return 'no route'
    case 'maildir':
      return `maildir:${target.path}`
    case 'next-hop':
      return nextHopName(target.nextHop)
  }
}
