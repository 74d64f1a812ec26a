// Client networks: is this address in one of them? CIDR or single addresses, IPv4 and IPv6 side by side.
// Pure. A list that holds something else throws when the matcher is made; an address that is none is in no network.
import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

export type Network = readonly [base: ipaddr.IPv4 | ipaddr.IPv6, prefix: number]

/**
 * A matcher for addresses; an IPv4 address written as IPv6 (`::ffff:10.0.0.1`) is the IPv4 address.
 * Throws Error naming the `setting` the list comes from when an entry is no network.
 */
export function createNetworks(list: readonly string[], setting: string): (address: string) => boolean {
  const networks = list.map(text => parseNetwork(text, setting))
  return address => {
    if (networks.length === 0 || !ipaddr.isValid(address)) return false
    const found = ipaddr.process(address)
    return networks.some(([base, prefix]) => found.kind() === base.kind() && found.match(base, prefix))
  }
}

/** One network as base and prefix; one written as IPv6 (`::ffff:10.0.0.0/104`) is the IPv4 network. Throws Error. */
export function parseNetwork(text: string, setting: string): Network {
  const network = readNetwork(text)
  if (network === undefined) throw new Error(`${setting}: "${text}" is no network (10.1.0.0/16, 2001:db8::/32)`)
  return network
}

/** An address in its one spelling, IPv4-mapped ones as plain IPv4; undefined for what is no address. */
export function canonicalAddress(text: string): string | undefined {
  return isIP(text) === 0 || text.includes('%') ? undefined : ipaddr.process(text).toString()
}

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
