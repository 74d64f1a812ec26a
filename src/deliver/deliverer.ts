// Delivers a message: recipients grouped by where they go, the groups side by side, each recipient with exactly one
// outcome. Outcomes are handed over right after the next hop's answer; until that resolves nothing else is done for the
// group. Whatever goes wrong with a next hop, a file or the content is a deferral; an error that nobody foresaw is
// logged too.
import type { AcceptedMessage } from '../mail/record.ts'
import type { HeaderField } from '../mail/verdict.ts'
import type { Dns } from '../platform/dns.ts'
import { type Log, silentLog } from '../platform/log.ts'
import type { Metrics } from '../platform/metrics.ts'
import type { Content } from '../storage/message-store.ts'
import type { PolicyStore } from '../storage/policy-store.ts'
import { contentWithTrace, headerHasUtf8 } from './content-with-trace.ts'
import { presetRoutes } from './delivery-metrics.ts'
import type { BackOff } from './destination-health.ts'
import { createDestinations } from './destinations.ts'
import type { DotMark } from './dot-mark.ts'
import { createMailDomains, type MailDomainsOptions } from './mail-domains.ts'
import { deliverToMaildir, maildirName } from './maildir.ts'
import type { Outcome } from './outcome.ts'
import {
  createRoutes,
  groupByRoute,
  type HopSettings,
  nameRoutes,
  nextHopName,
  type Route,
  type Target,
} from './routes.ts'
import { createSender, type Errand, type Result } from './send-to-destination.ts'
import { DEFAULT_TIMEOUTS, type DeliveryTimeouts } from './smtp-connection.ts'
import type { Transaction } from './smtp-transaction.ts'
import { type TraceHeader, traceHeader } from './trace-headers.ts'

export type DelivererOptions = Readonly<{
  routes: readonly Route[]
  /** Our name: in EHLO, in Received, and as the authserv-id that nobody else may use. */
  hostname: string
  limits?: Partial<DeliveryLimits>
  timeouts?: Partial<DeliveryTimeouts>
  /** For `mx:`; without it such a route defers. */
  dns?: Dns
  /** Where MTA-STS policies are remembered. */
  store?: PolicyStore
  mx?: Partial<Pick<MailDomainsOptions, 'port' | 'mayConnect' | 'fetchPolicy'>>
  backOff?: Partial<BackOff>
  /** Messages delivered at the same time: no destination in trouble may have all of them. */
  concurrency?: number
  /** Milliseconds since 1970. */
  now?: () => number
  /** From 0 up to 1. */
  random?: () => number
  log?: Log
  metrics?: Metrics
}>

export type DeliveryLimits = Readonly<{
  /** Per next hop, where its route does not say. */
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
  /** An operator's next hop, for all of them, instead of what the routes say. */
  to?: string | undefined
  /** Asked before each final dot, and each rename in a maildir. */
  mark?: DotMark
}>

export type Deliverer = Readonly<{
  /**
   * One attempt. `onOutcome` gets each recipient once. Rejects with the signal's reason, recipients without an outcome
   * being untouched then, or with the first error of `onOutcome` or the mark; never for what next hops or contents do.
   */
  deliver(
    request: DeliveryRequest,
    onOutcome: (outcomes: Outcome[]) => Promise<void>,
    signal?: AbortSignal,
  ): Promise<void>
  /** Tries destinations again that it keeps away from: an operator says that their trouble is over. */
  resume(): void
  /** From now on these routes hold; attempts that are on go their old way. Throws RangeError, changing nothing. */
  reroute(routes: readonly Route[]): void
  /** No `deliver` lasts longer than this, in milliseconds, but for maildirs on a disk that hangs. */
  readonly longestAttempt: number
  /** Closes the connections that were kept. */
  close(): Promise<void>
}>

type Report = (results: readonly Result[]) => Promise<void>
type Attempt = Readonly<{
  request: DeliveryRequest
  mark: DotMark | undefined
  endBy: number
  signal: AbortSignal | undefined
}>

/** Throws RangeError when the routes make no sense. */
export function createDeliverer(options: DelivererOptions): Deliverer {
  const { hostname, now = Date.now, random = Math.random, log = silentLog, metrics, concurrency, backOff } = options
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts }
  let routes = readRoutes(options.routes)
  let names = nameRoutes(options.routes)
  if (metrics) presetRoutes(names.all, metrics)
  const destinations = createDestinations({
    now,
    random,
    log,
    slots: concurrency ?? Number.POSITIVE_INFINITY,
    ...(backOff && { backOff }),
    onDown: count => metrics?.destinationsDown.set(count),
  })
  const sender = createSender({
    ...{ hostname, timeouts, destinations, now, random },
    idleTime: limits.idleTime,
    maxRecipients: limits.maxRecipients,
    onPostponed: ({ reason }, recipients) => metrics?.deliveryPostponed.inc(reason, recipients),
  })
  const { dns, store, mx } = options
  const mailDomains = dns && createMailDomains({ dns, store, hostname, now, random, log, ...mx })

  function readRoutes(written: readonly Route[]) {
    const { maxConnections: connections, maxMessagesPerConnection: messages_per_connection } = limits
    return createRoutes(written.map(route => ({ connections, messages_per_connection, ...route })))
  }

  /** All to one server, which is met as one of a route that says nothing else. */
  function routeTo(to: string) {
    return readRoutes([{ domains: ['*'], to }])
  }

  async function deliver(
    request: DeliveryRequest,
    onOutcome: (outcomes: Outcome[]) => Promise<void>,
    signal?: AbortSignal,
  ): Promise<void> {
    signal?.throwIfAborted()
    const startedAt = performance.now()
    const errors: unknown[] = []
    const mark = request.mark && {
      ...request.mark,
      async set(recipients: readonly string[], nextHop: string) {
        await request.mark?.set(recipients, nextHop).catch(error => {
          errors.push(error)
          throw error
        })
      },
    }
    const attempt = { request, mark, endBy: startedAt + timeouts.attempt, signal }
    const undecided = new Set(request.recipients)

    /** Once for each recipient. An error of the caller does not disturb the dialogue with the next hop. */
    const report: Report = async results => {
      const seconds = (performance.now() - startedAt) / 1000
      const fresh = results.filter(({ recipient }) => undecided.delete(recipient))
      const outcomes = fresh.map(({ reason = 'message', ...outcome }) => {
        const isFailure = outcome.kind !== 'delivered' && outcome.retryAt === undefined
        const route = names.of(outcome.recipient)
        if (isFailure) metrics?.deliveryFailureReasons.inc({ route, reason })
        return { ...outcome, route, seconds }
      })
      if (outcomes.length > 0) await onOutcome(outcomes).catch(error => errors.push(error))
    }

    async function deliverGroup(target: Target | undefined, recipients: string[]): Promise<void> {
      let reply = 'the attempt ended without a result'
      try {
        await deliverTo(target, recipients, attempt, report)
      } catch (error) {
        // Whose dot must not go out has no outcome: somebody else decides about them.
        if (signal?.aborted || errors.includes(error)) return
        reply = error instanceof Error ? error.message : String(error)
        const { queueId } = request.message
        log.error({ queueId, why: reply, stack: (error as Error)?.stack }, 'delivery-broke-off')
      }
      const nextHop = targetName(target)
      await report(recipients.map(recipient => ({ recipient, kind: 'deferred', nextHop, reply })))
    }

    const groups = groupByRoute([...undecided], request.to === undefined ? routes : routeTo(request.to))
    await Promise.all([...groups].map(([target, recipients]) => deliverGroup(target, recipients)))
    if (errors.length > 0) throw errors[0]
    if (undecided.size > 0) signal?.throwIfAborted()
  }

  async function deliverTo(target: Target | undefined, recipients: string[], attempt: Attempt, report: Report) {
    switch (target?.kind) {
      case undefined:
        return await report(recipients.map(recipient => ({ recipient, ...NO_ROUTE })))
      case 'maildir':
        return await report(await storeInMaildir(target.path, recipients, attempt))
      case 'next-hops': {
        const name = targetName(target)
        return await sender.send({ ...target, key: name, name }, errand(recipients, attempt, report))
      }
      case 'mx':
        return await deliverByMx(target.settings, recipients, attempt, report)
    }
  }

  async function deliverByMx(settings: HopSettings, recipients: string[], attempt: Attempt, report: Report) {
    if (mailDomains === undefined) throw new Error('a route by mx: needs a resolver')
    const { ways, results } = await mailDomains(recipients, settings)
    const sent = ways.map(way => sender.send(way, errand(way.recipients, attempt, report)))
    // One of them that breaks off does not end the others.
    const [, ...ends] = await Promise.allSettled([report(results), ...sent])
    for (const end of ends) if (end.status === 'rejected') throw end.reason
  }

  async function storeInMaildir(
    path: string,
    recipients: string[],
    { request, mark, signal }: Attempt,
  ): Promise<Result[]> {
    const { message, content, headers } = request
    const copies = recipients.map(recipient => ({
      recipient,
      name: maildirName(message, recipient, hostname),
      content: () => contentWithTrace(content, { message, hostname, headers, deliveredTo: recipient }),
    }))
    const results = await deliverToMaildir(path, copies, { signal, mark })
    return results.map(({ recipient, kind, place, reply }) => ({ recipient, kind, reply, nextHop: `maildir:${place}` }))
  }

  function errand(recipients: readonly string[], { request, mark, endBy, signal }: Attempt, report: Report): Errand {
    return { endBy, signal, mark, recipients, report, transaction: some => transactionOf(request, some) }
  }

  function transactionOf({ message, content, headers }: DeliveryRequest, recipients: readonly string[]): Transaction {
    const { reversePath, smtputf8, body } = message.envelope
    const trace: TraceHeader = { message, hostname, headers }
    return {
      reversePath,
      recipients,
      smtputf8,
      body,
      reports: message.envelope,
      size: traceHeader(trace).length + content.size,
      content: () => contentWithTrace(content, trace),
      headerHasUtf8: () => headerHasUtf8(content),
    }
  }

  function reroute(changed: readonly Route[]): void {
    routes = readRoutes(changed)
    names = nameRoutes(changed)
    if (metrics) presetRoutes(names.all, metrics)
  }

  return {
    deliver,
    reroute,
    resume: destinations.resume,
    longestAttempt: timeouts.attempt + timeouts.dot,
    close: sender.close,
  }
}

const NO_ROUTE = {
  kind: 'deferred',
  nextHop: 'no route',
  reply: 'no route leads to this domain',
  reason: 'policy',
} as const

function targetName(target: Target | undefined): string {
  switch (target?.kind) {
    case undefined:
      return 'no route'
    case 'maildir':
      return `maildir:${target.path}`
    case 'next-hops':
      return target.nextHops.map(({ nextHop }) => nextHopName(nextHop)).join(', ')
    case 'mx':
      return 'mx:'
  }
}
