// Relay control: which client may send to which domain. What it does not allow is refused, so a forgotten setting makes
// a gateway that takes too little, never an open relay. Pure; wrong settings throw when it is made, input never does.
import { canonicalDomain } from '../mail/address.ts'
import { CANARY_DOMAIN } from '../mail/canary.ts'
import { type Client, domainOf } from '../mail/envelope.ts'
import { createNetworks, parseNetwork } from '../mail/networks.ts'

export type RelaySettings = Readonly<{
  /** Domains we take mail for from anybody: `example.com`, and `*.example.com` for everything below it. */
  domains: readonly string[]
  /** Client networks (CIDR or single addresses) that may send to any domain. Never a load balancer's. */
  networks: readonly string[]
  /** The canary's own listener: it takes mail for canaries, and for nobody else. */
  canary?: boolean
}>

export type RelayControl = Readonly<{
  /** True for a client that may send to any domain. */
  trusts(clientAddress: string): boolean
  /** True for a domain that mail is taken for from anybody. */
  isOurs(domain: string): boolean
  /** Where mail for the bare `postmaster` goes (RFC 5321 §4.5.1): of this host, or of the domain above it. */
  postmaster: string | undefined
  /** True where canaries, and nothing else, come in. */
  canary: boolean
}>

/** A shorter prefix holds so much of the Internet that trusting it is an open relay, whatever was meant. */
const SHORTEST_PREFIX = { ipv4: 8, ipv6: 7 }

/** Throws Error on a domain or network that is none, or that would make an open relay. */
export function createRelayControl(
  { domains, networks, canary = false }: RelaySettings,
  hostname: string,
): RelayControl {
  const exact = new Set<string>()
  const parents = new Set<string>()
  for (const domain of domains) {
    const name = canonicalDomain(domain.replace(/^\*\./, ''))
    if (name === undefined) throw new Error(`relay.domains: "${domain}" is no domain (example.com, *.example.com)`)
    if (domain.startsWith('*.')) parents.add(name)
    else exact.add(name)
  }
  for (const network of networks) refuseOpenRelay(network)
  const trusts = createNetworks(networks, 'relay.networks')

  function isOurs(domain: string): boolean {
    if (exact.has(domain)) return true
    if (parents.size === 0) return false
    for (let dot = domain.indexOf('.'); dot !== -1; dot = domain.indexOf('.', dot + 1)) {
      if (parents.has(domain.slice(dot + 1))) return true
    }
    return false
  }

  const host = hostname.toLowerCase()
  const home = [host, host.slice(host.indexOf('.') + 1)].find(isOurs)
  return { trusts, isOurs, postmaster: home === undefined ? undefined : `postmaster@${home}`, canary }
}

/** True when this client may send to this address. Nobody may to canaries, whatever the settings say, but the canary. */
export function mayRelay(relay: RelayControl, client: Pick<Client, 'address' | 'user'>, recipient: string): boolean {
  const domain = domainOf(recipient)
  if (relay.canary || domain === CANARY_DOMAIN) return relay.canary && domain === CANARY_DOMAIN
  return relay.isOurs(domain) || client.user !== undefined || relay.trusts(client.address)
}

function refuseOpenRelay(text: string): void {
  const [base, prefix] = parseNetwork(text, 'relay.networks')
  if (prefix >= SHORTEST_PREFIX[base.kind()]) return
  throw new Error(`relay.networks: "${text}" would make an open relay of this server; name your own networks`)
}
