// The servers that a domain names for its mail (RFC 5321 §5.1): MX, the domain itself where it has none, nothing where
// it says so (RFC 7505). Addresses are looked up here and checked: a domain of a stranger must not lead us to our own
// machine, network or cloud metadata, so whoever connects uses these addresses and asks for no name again.
// "Nobody knows" is a deferral; only clear answers of the DNS fail a recipient.
import { isIP } from 'node:net'
import { canonicalAddress } from '../mail/networks.ts'
import type { Dns } from '../platform/dns.ts'

/** `name`: for its certificate, and for people. */
export type MailHost = Readonly<{ name: string; priority: number; addresses: readonly string[] }>

/** `reply` as a next hop would have said it. */
export type MailHosts =
  | Readonly<{ kind: 'hosts'; hosts: readonly MailHost[] }>
  | Readonly<{ kind: 'failed' | 'deferred'; reply: string; reason: 'dns' | 'policy' }>

export type MailHostsOptions = Readonly<{
  dns: Dns
  /** Our own name: mail for a domain whose best MX we are has come to its end here. */
  hostname: string
  /** May an attempt go to this address? */
  mayConnect(address: string): boolean
  /** This machine has a way to IPv6 addresses. */
  ipv6: boolean
  /** From 0 up to 1. */
  random: () => number
  /** Of the names: those that policy allows. */
  allows?: (name: string) => boolean
}>

/** More hosts are not tried in one attempt, nor more addresses of one of them. */
const MOST_HOSTS = 5
const MOST_ADDRESSES = 2

type Exchange = Readonly<{ exchange: string; priority: number }>

/** Looks up where mail for a domain goes; best host first, equals in random order. Never rejects. */
export async function findMailHosts(domain: string, options: MailHostsOptions): Promise<MailHosts> {
  const { dns, hostname, allows = () => true, random } = options
  const literal = literalAddress(domain)
  if (literal !== undefined) {
    if (!options.mayConnect(literal)) return failed(`550 5.4.6 ${domain} is no public address`, 'policy')
    return { kind: 'hosts', hosts: [{ name: literal, priority: 0, addresses: [literal] }] }
  }
  const answer = await dns.mx(domain)
  if (answer.kind === 'error') return unknown(`the MX of ${domain} could not be looked up: ${answer.why}`)
  const written: readonly Exchange[] = answer.kind === 'found' ? answer.records : [{ exchange: domain, priority: 0 }]
  const exchanges = inOrder(written, random)
  if (exchanges.length === 0) return failed(`556 5.1.10 ${domain} takes no mail (null MX)`, 'dns')

  const ours = exchanges.find(({ exchange }) => exchange === hostname.toLowerCase())
  const before = exchanges.filter(({ priority }) => ours === undefined || priority < ours.priority)
  if (before.length === 0) return failed(`550 5.4.6 ${hostname} is the best MX of ${domain}: a loop`, 'policy')
  const allowed = before.filter(({ exchange }) => allows(exchange))
  if (allowed.length === 0) return { kind: 'hosts', hosts: [] }
  const found = await Promise.all(
    allowed.slice(0, MOST_HOSTS).map(async one => ({ ...one, answer: await addressesOf(one.exchange, options) })),
  )
  const hosts = found.flatMap(({ exchange: name, priority, answer: { addresses } }) => {
    const usable = addresses.filter(options.mayConnect).slice(0, MOST_ADDRESSES)
    return usable.length === 0 ? [] : [{ name, priority, addresses: usable }]
  })
  if (hosts.length > 0) return { kind: 'hosts', hosts }
  const why = found.find(one => one.answer.why !== undefined)?.answer.why
  if (why !== undefined) return unknown(`the mail hosts of ${domain} could not be looked up: ${why}`)
  if (found.some(one => one.answer.addresses.length > 0)) {
    return failed(`550 5.4.6 The mail hosts of ${domain} have no public address`, 'policy')
  }
  return answer.kind === 'none'
    ? failed(`550 5.1.2 ${domain} does not exist, or takes no mail: neither MX nor address`, 'dns')
    : failed(`550 5.4.4 No MX host of ${domain} has an address`, 'dns')
}

function failed(reply: string, reason: 'dns' | 'policy'): MailHosts {
  return { kind: 'failed', reply, reason }
}

function unknown(why: string): MailHosts {
  return { kind: 'deferred', reply: `451 4.4.3 ${why}`, reason: 'dns' }
}

/** By preference, equals shuffled (RFC 5321 §5.1), names in one spelling; the name of a null MX is no host. */
function inOrder(exchanges: readonly Exchange[], random: () => number): Exchange[] {
  return exchanges
    .map(({ exchange, priority }) => ({ exchange: nameOf(exchange), priority, chance: random() }))
    .filter(({ exchange }) => exchange !== '')
    .toSorted((a, b) => a.priority - b.priority || a.chance - b.chance)
    .map(({ exchange, priority }) => ({ exchange, priority }))
}

function nameOf(exchange: string): string {
  return exchange.replace(/\.$/, '').toLowerCase()
}

/** IPv4 first: more servers know us by it. `why`: something could not be looked up. */
async function addressesOf(name: string, { dns, ipv6 }: MailHostsOptions) {
  const answers = await Promise.all([dns.a(name), ...(ipv6 ? [dns.aaaa(name)] : [])])
  const addresses = answers.flatMap(one => (one.kind === 'found' ? one.records.map(canonicalAddress) : []))
  const why = answers.find(one => one.kind === 'error')?.why
  return { addresses: addresses.filter(address => address !== undefined), why }
}

/** `[192.0.2.1]`, `[IPv6:2001:db8::1]` (RFC 5321 §4.1.3). */
function literalAddress(domain: string): string | undefined {
  const [, written = ''] = /^\[(?:ipv6:)?([^\]]+)\]$/i.exec(domain) ?? []
  return isIP(written) === 0 ? undefined : canonicalAddress(written)
}
