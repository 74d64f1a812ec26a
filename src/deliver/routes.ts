// Which way a recipient's domain goes. Pure; a route that makes no sense throws RangeError with a sentence for people.
// The most specific pattern wins: the domain itself, then the longest `*.example.com`, then `*`.
import { isIPv6 } from 'node:net'
import { domainOf } from '../mail/envelope.ts'
import type { RankedNextHop } from './choose-next-hop.ts'
import type { NextHop } from './next-hop.ts'

/** As configured: `domains` are example.com, *.example.com or *, in lower-case ASCII; `to` is for `parseTarget`. */
export type Route = Readonly<{
  domains: readonly string[]
  to: string | readonly Readonly<{ to: string; priority?: number | undefined; weight?: number | undefined }>[]
  tls?: NextHop['tls'] | undefined
  ca?: string | undefined
  auth?: NextHop['auth'] | undefined
  source?: string | undefined
  helo?: string | undefined
  connections?: number | undefined
  messages_per_connection?: number | undefined
  rate?: NextHop['rate'] | undefined
}>

/** How a server wants to be met, whichever it is. */
export type HopSettings = Omit<NextHop, 'protocol' | 'host' | 'port' | 'certificateName'>

export type Target =
  | Readonly<{ kind: 'maildir'; path: string }>
  | Readonly<{ kind: 'next-hops'; nextHops: readonly RankedNextHop[] }>
  /** To the servers that the recipient's domain names in the DNS. */
  | Readonly<{ kind: 'mx'; settings: HopSettings }>

/** Finds the target for a recipient's address; undefined where no route leads. */
export type Routes = (recipient: string) => Target | undefined

// RFC 5321 §4.5.4.2; RFC 8314 §7.3; RFC 2033 §3 forbids 25 for LMTP, 24 is custom
const DEFAULT_PORTS = { smtp: 25, smtps: 465, lmtp: 24 } as const

/** Reads `maildir:PATH`, `mx:`, `smtp://host[:25]`, `smtps://host[:465]` or `lmtp://host[:24]`. */
export function parseTarget(to: string, settings: HopSettings = {}): Target {
  const [, path] = /^maildir:(.*)$/s.exec(to) ?? []
  if (path !== undefined) {
    if (path.trim() === '' || path.includes('\0'))
      throw new RangeError(`${to} has no path: write maildir:./data/maildir`)
    return { kind: 'maildir', path }
  }
  if (to === 'mx:') return { kind: 'mx', settings }
  return { kind: 'next-hops', nextHops: [{ nextHop: { ...settings, ...parseServer(to) }, priority: 0, weight: 1 }] }
}

function parseServer(to: string): Pick<NextHop, 'protocol' | 'host' | 'port'> {
  const [, scheme, rest = ''] = /^([a-z]+):\/\/(.*)$/is.exec(to) ?? []
  const protocol = scheme?.toLowerCase()
  if (protocol !== 'smtp' && protocol !== 'smtps' && protocol !== 'lmtp') {
    const ways = 'maildir:PATH, smtp://HOST:PORT, smtps://HOST:PORT, lmtp://HOST:PORT or mx:'
    throw new RangeError(`"${to}" is no way to deliver: write ${ways}`)
  }
  const [, written = '', digits] = /^(\[[^\]]*\]|[^\s:/@[\]]+)(?::(\d+))?\/?$/.exec(rest) ?? []
  const host = written.startsWith('[') ? written.slice(1, -1) : written
  if (host === '' || (host !== written && !isIPv6(host))) {
    throw new RangeError(`"${rest}" in "${to}" is not HOST or HOST:PORT (an IPv6 address stands in brackets)`)
  }
  const port = digits === undefined ? DEFAULT_PORTS[protocol] : Number(digits)
  if (port < 1 || port > 65_535) throw new RangeError(`${digits} in "${to}" is not a port`)
  return { protocol, host, port }
}

function targetOf(route: Route): Target {
  const settings = settingsOf(route)
  if (typeof route.to === 'string') return parseTarget(route.to, settings)
  const nextHops = route.to.map(({ to, priority = 10, weight = 1 }) => {
    if (/^(maildir|mx):/.test(to)) throw new RangeError(`"${to}" stands alone: several next hops must be servers`)
    return { nextHop: { ...settings, ...parseServer(to) }, priority, weight }
  })
  if (nextHops.length === 0) throw new RangeError(`the route for ${route.domains.join(', ')} leads nowhere`)
  return { kind: 'next-hops', nextHops }
}

function settingsOf({ tls, ca, auth, source, helo, connections, messages_per_connection, rate }: Route): HopSettings {
  const given = { tls, ca, auth, source, helo, connections, messagesPerConnection: messages_per_connection, rate }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

/** The table of routes. A pattern that stands in two of them throws: nobody could say which one is meant. */
export function createRoutes(routes: readonly Route[]): Routes {
  return byDomain(routes, targetOf)
}

/** For metrics: the route for `*`, and for what no route is for. Every other goes by the first of its patterns. */
export const DEFAULT_ROUTE = 'default'

export type RouteNames = Readonly<{ all: readonly string[]; of(recipient: string): string }>

export function nameRoutes(routes: readonly Route[]): RouteNames {
  const of = byDomain(routes, nameOf)
  const all = [...new Set([...routes.map(nameOf), DEFAULT_ROUTE])]
  return { all, of: recipient => of(recipient) ?? DEFAULT_ROUTE }
}

function nameOf({ domains }: Route): string {
  return domains.includes('*') ? DEFAULT_ROUTE : (domains[0]?.toLowerCase() ?? DEFAULT_ROUTE)
}

function byDomain<Value>(routes: readonly Route[], make: (route: Route) => Value) {
  const values = new Map<string, Value>()
  for (const route of routes) {
    const value = make(route)
    for (const written of route.domains) {
      const pattern = written.toLowerCase()
      if (values.has(pattern)) throw new RangeError(`two routes are for "${pattern}"`)
      values.set(pattern, value)
    }
  }
  return (recipient: string): Value | undefined => {
    for (const pattern of patternsFor(domainOf(recipient))) {
      const value = values.get(pattern)
      if (value !== undefined) return value
    }
    return undefined
  }
}

/** a.b.c, *.b.c, *.c, * */
function* patternsFor(domain: string): Generator<string> {
  yield domain
  for (let dot = domain.indexOf('.'); dot !== -1; dot = domain.indexOf('.', dot + 1)) yield `*${domain.slice(dot)}`
  yield '*'
}

/** Recipients by where they go, each group in the given order. */
export function groupByRoute(recipients: readonly string[], routes: Routes): Map<Target | undefined, string[]> {
  return Map.groupBy(recipients, routes)
}

/** `smtp://127.0.0.1:25`, for people; the server that the DNS named goes by its name. */
export function nextHopName({ protocol, host, port, certificateName = host }: NextHop): string {
  return `${protocol}://${certificateName.includes(':') ? `[${certificateName}]` : certificateName}:${port}`
}
