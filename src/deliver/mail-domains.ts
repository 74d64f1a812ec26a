// The recipients of a route `mx:`, by the servers that their domains name: those of domains with the same servers go
// in one transaction. What the DNS refuses or does not tell is a result at once. Never rejects.
import { domainOf } from '../mail/envelope.ts'
import type { Dns } from '../platform/dns.ts'
import { cachedDns } from '../platform/dns-cache.ts'
import type { Log } from '../platform/log.ts'
import type { PolicyStore } from '../storage/policy-store.ts'
import { createMtaSts } from './mta-sts.ts'
import { createPolicyFetch, type PolicyFetch } from './mta-sts-fetch.ts'
import { hasPublicIpv6, mayConnectTo } from './public-address.ts'
import { type Resolved, resolveMx } from './resolve-mx.ts'
import type { HopSettings } from './routes.ts'
import type { Result, Way } from './send-to-destination.ts'

export type MailDomainsOptions = Readonly<{
  dns: Dns
  store?: PolicyStore | undefined
  hostname: string
  /** Of the mail hosts: 25 unless given. */
  port?: number
  /** Public addresses of others, unless given. */
  mayConnect?: (address: string) => boolean
  fetchPolicy?: PolicyFetch
  now: () => number
  random: () => number
  log: Log
}>

export type MailDomains = (
  recipients: readonly string[],
  settings: HopSettings,
) => Promise<Readonly<{ ways: readonly (Way & { recipients: readonly string[] })[]; results: readonly Result[] }>>

export function createMailDomains(options: MailDomainsOptions): MailDomains {
  const { store, hostname, port = 25, mayConnect = mayConnectTo, now, random, log } = options
  const dns = cachedDns(options.dns, { now })
  const { fetchPolicy = createPolicyFetch({ dns, mayConnect }) } = options
  const mtaSts = createMtaSts({ dns, fetchPolicy, store, now, log })

  return async (recipients, settings) => {
    const ipv6 = hasPublicIpv6()
    const parts = { dns, hostname, port, mayConnect, ipv6, random, mtaSts, log }
    const byDomain = [...Map.groupBy(recipients, domainOf)]
    const found = await Promise.all(
      byDomain.map(async ([domain, some]) => ({
        domain,
        recipients: some,
        resolved: await resolveMx(domain, settings, parts),
      })),
    )
    const together = Map.groupBy(found, ({ domain, resolved }) => keyOf(resolved, domain))
    const ways = [...together].flatMap(([key, group]) => {
      const { domain, resolved } = group[0]!
      if (resolved.kind !== 'next-hops') return []
      const { nextHops } = resolved
      return [{ key, name: `mx:${domain}`, nextHops, recipients: group.flatMap(one => one.recipients) }]
    })
    const results = found.flatMap(({ domain, recipients: concerned, resolved }) => {
      if (resolved.kind === 'next-hops') return []
      const { kind, reply, reason } = resolved
      return concerned.map(recipient => ({ recipient, kind, reply, reason, nextHop: `mx:${domain}` }))
    })
    return { ways, results }
  }
}

function keyOf(resolved: Resolved, domain: string): string {
  return resolved.kind === 'next-hops' ? resolved.key : domain
}
