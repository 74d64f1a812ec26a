// From a recipient's domain to the servers to try: its mail hosts, each address one next hop, under its MTA-STS policy.
// With a policy in force only hosts in it are met, with a certificate for their name, or the mail waits (RFC 8461 §5).
import type { Log } from '../platform/log.ts'
import type { RankedNextHop } from './choose-next-hop.ts'
import type { MtaSts } from './mta-sts.ts'
import { isInPolicy, type StsPolicy } from './mta-sts-policy.ts'
import { findMailHosts, type MailHost, type MailHostsOptions } from './mx.ts'
import type { NextHop } from './next-hop.ts'
import type { HopSettings } from './routes.ts'

/** `key`: domains with the same servers and the same policy have the same. */
export type Resolved =
  | Readonly<{ kind: 'next-hops'; key: string; nextHops: readonly RankedNextHop[] }>
  | Readonly<{ kind: 'failed' | 'deferred'; reply: string; reason: 'dns' | 'policy' }>

export type ResolveMxOptions = Omit<MailHostsOptions, 'allows'> & Readonly<{ mtaSts: MtaSts; port: number; log: Log }>

/** Never rejects. */
export async function resolveMx(domain: string, settings: HopSettings, options: ResolveMxOptions): Promise<Resolved> {
  const { mtaSts, port, log } = options
  const policy = settings.tls === 'none' || domain.startsWith('[') ? undefined : await mtaSts(domain)
  const enforced = policy?.mode === 'enforce'
  const allows = enforced ? (name: string) => isInPolicy(policy, name) : () => true
  const found = await findMailHosts(domain, { ...options, allows })
  if (found.kind !== 'hosts') return found
  if (found.hosts.length === 0) {
    const reply = `451 4.7.5 No MX host of ${domain} is in its MTA-STS policy`
    return { kind: 'deferred', reply, reason: 'policy' }
  }
  if (policy?.mode === 'testing') tellOutsiders(domain, found.hosts, policy, log)
  const tls = enforced ? 'verify' : (settings.tls ?? 'may')
  // The order of hosts is drawn already; the addresses of one stand one behind the other.
  const inOrder = found.hosts.flatMap(({ name, addresses }) => addresses.map(host => ({ host, certificateName: name })))
  const nextHops = inOrder.map((server, place) => {
    const nextHop: NextHop = { ...settings, ...server, protocol: 'smtp', port, tls }
    return { nextHop, priority: place, weight: 1 }
  })
  const names = found.hosts.map(({ name, priority }) => `${priority} ${name}`).toSorted()
  return { kind: 'next-hops', key: `mx ${tls} ${names.join(' ')}`, nextHops }
}

function tellOutsiders(domain: string, hosts: readonly MailHost[], policy: StsPolicy, log: Log): void {
  const outside = hosts.map(({ name }) => name).filter(name => !isInPolicy(policy, name))
  if (outside.length > 0) log.warn({ domain, outside, effect: 'none: the policy is in testing' }, 'mta-sts-mismatch')
}
