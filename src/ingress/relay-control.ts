// Relay control: which client may send to which domain. What it does not allow is refused, so a forgotten setting makes
// a gateway that takes too little, never an open relay. Pure; wrong settings throw when it is made, input never does.
import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { canonicalDomain } from '../mail/address.ts'
import { domainOf } from '../mail/envelope.ts'

export type RelaySettings = Readonly<{
  /** Domains we take mail for from anybody: `example.com`, and `*.example.com` for everything below it. */
  domains: readonly string[]
  /** Client networks (CIDR or single addresses) that may send to any domain. Never a load balancer's. */
  networks: readonly string[]
}>

export type RelayControl = Readonly<{
  /** True for a client that may send to any domain. */
  trusts(clientAddress: string): boolean
  /** True for a domain that mail is taken for from anybody. */
  isOurs(domain: string): boolean
  /** Where mail for the bare `postmaster` goes (RFC 5321 §4.5.1): of this host, or of the domain above it. */
  postmaster: string | undefined
}>

type Network = readonly [ipaddr.IPv4 | ipaddr.IPv6, number]

/** A shorter prefix holds so much of the Internet that trusting it is an open relay, whatever was meant. */
const SHORTEST_PREFIX = { ipv4: 8, ipv6: 7 }

/** Throws Error on a domain or network that is none, or that would make an open relay. */
export function createRelayControl({ domains, networks }: RelaySettings, hostname: string): RelayControl {
  const exact = new Set<string>()
  const parents = new Set<string>()
  for (const domain of domains) {
    const name = canonicalDomain(domain.replace(/^\*\./, ''))
    if (name === undefined) throw new Error(`relay.domains: "${domain}" is no domain (example.com, *.example.com)`)
    if (domain.startsWith('*.')) parents.add(name)
    else exact.add(name)
  }
  const trusted = networks.map(parseNetwork)

  function isOurs(domain: string): boolean {
    if (exact.has(domain)) return true
    if (parents.size === 0) return false
    for (let dot = domain.indexOf('.'); dot !== -1; dot = domain.indexOf('.', dot + 1)) {
      if (parents.has(domain.slice(dot + 1))) return true
    }
    return false
  }

  function trusts(clientAddress: string): boolean {
    if (trusted.length === 0 || !ipaddr.isValid(clientAddress)) return false
    const address = ipaddr.process(clientAddress)
    return trusted.some(([base, prefix]) => address.kind() === base.kind() && address.match(base, prefix))
  }

  const host = hostname.toLowerCase()
  const home = [host, host.slice(host.indexOf('.') + 1)].find(isOurs)
  return { trusts, isOurs, postmaster: home === undefined ? undefined : `postmaster@${home}` }
}

/** True when this client may send to this address. */
export function mayRelay(relay: RelayControl, clientAddress: string, recipient: string): boolean {
  return relay.isOurs(domainOf(recipient)) || relay.trusts(clientAddress)
}

function parseNetwork(text: string): Network {
  const network = readNetwork(text)
  if (network === undefined) throw new Error(`relay.networks: "${text}" is no network (10.1.0.0/16, 2001:db8::/32)`)
  const [base, prefix] = network
  if (prefix < SHORTEST_PREFIX[base.kind()]) {
    throw new Error(`relay.networks: "${text}" would make an open relay of this server; name your own networks`)
  }
  return network
}

/** An IPv4 network written as IPv6 (`::ffff:10.0.0.0/104`) is the IPv4 network. */
function readNetwork(text: string): Network | undefined {
  // ipaddr.js also reads `10.1` and `0x0a`: what an operator means by these is anybody's guess.
  if (isIP(text.replace(/\/\d+$/, '')) === 0) return undefined
  if (ipaddr.isValidCIDR(text)) {
    const [base, prefix] = ipaddr.parseCIDR(text)
    if (base.kind() === 'ipv6' && (base as ipaddr.IPv6).isIPv4MappedAddress()) {
      return [(base as ipaddr.IPv6).toIPv4Address(), Math.max(0, prefix - 96)]
    }
    return [base, prefix]
  }
  if (!ipaddr.isValid(text)) return undefined
  const address = ipaddr.process(text)
  return [address, address.kind() === 'ipv4' ? 32 : 128]
}
