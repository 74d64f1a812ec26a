// Which way a recipient's domain goes. Pure; a route that makes no sense throws RangeError with a sentence for people.
// The most specific pattern wins: the domain itself, then the longest `*.example.com`, then `*`.
import { isIPv6 } from 'node:net'
import { domainOf } from '../mail/envelope.ts'
import type { NextHop } from './smtp-connection.ts'

/** As configured: `domains` are example.com, *.example.com or *, in lower-case ASCII; `to` is for `parseTarget`. */
export type Route = Readonly<{ domains: readonly string[]; to: string }>

export type Target = Readonly<{ kind: 'maildir'; path: string }> | Readonly<{ kind: 'next-hop'; nextHop: NextHop }>

/** Finds the target for a recipient's address; undefined where no route leads. */
export type Routes = (recipient: string) => Target | undefined

const DEFAULT_PORTS = { smtp: 25, lmtp: 24 } as const // RFC 5321 §4.5.4.2; RFC 2033 §3 forbids 25, 24 is custom

/** Reads `maildir:PATH`, `smtp://host[:25]` or `lmtp://host[:24]`. */
export function parseTarget(to: string): Target {
  const [, path] = /^maildir:(.*)$/s.exec(to) ?? []
  if (path !== undefined) {
    if (path.trim() === '' || path.includes('\0'))
      throw new RangeError(`${to} has no path: write maildir:./data/maildir`)
    return { kind: 'maildir', path }
  }
  const [, scheme, rest = ''] = /^([a-z]+):\/\/(.*)$/is.exec(to) ?? []
  const protocol = scheme?.toLowerCase()
  if (protocol !== 'smtp' && protocol !== 'lmtp') {
    throw new RangeError(`"${to}" is no way to deliver: write maildir:PATH, smtp://HOST:PORT or lmtp://HOST:PORT`)
  }
  const [, written = '', digits] = /^(\[[^\]]*\]|[^\s:/@[\]]+)(?::(\d+))?\/?$/.exec(rest) ?? []
  const host = written.startsWith('[') ? written.slice(1, -1) : written
  if (host === '' || (host !== written && !isIPv6(host))) {
    throw new RangeError(`"${rest}" in "${to}" is not HOST or HOST:PORT (an IPv6 address stands in brackets)`)
  }
  const port = digits === undefined ? DEFAULT_PORTS[protocol] : Number(digits)
  if (port < 1 || port > 65_535) throw new RangeError(`${digits} in "${to}" is not a port`)
  return { kind: 'next-hop', nextHop: { protocol, host, port } }
}

/** The table of routes. A pattern that stands in two of them throws: nobody could say which one is meant. */
export function createRoutes(routes: readonly Route[]): Routes {
  const targets = new Map<string, Target>()
  for (const { domains, to } of routes) {
    const target = parseTarget(to)
    for (const written of domains) {
      const pattern = written.toLowerCase()
      if (targets.has(pattern)) throw new RangeError(`two routes are for "${pattern}"`)
      targets.set(pattern, target)
    }
  }
  return recipient => {
    const domain = domainOf(recipient)
    for (const pattern of patternsFor(domain)) {
      const target = targets.get(pattern)
      if (target !== undefined) return target
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

/** `smtp://127.0.0.1:25`, for people. */
export function nextHopName({ protocol, host, port }: NextHop): string {
  return `${protocol}://${host.includes(':') ? `[${host}]` : host}:${port}`
}
