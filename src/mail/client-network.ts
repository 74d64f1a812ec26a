// What counts as one client: an IPv4 address, or the /64 of an IPv6 one, since whoever has one address of it has all.
// Pure. Takes addresses as a socket gives them, a zone (`fe80::1%eth0`) included; throws on what is none.
import ipaddr from 'ipaddr.js'

/** The address itself for IPv4, the network of 64 bits for IPv6. */
export function clientKey(address: string): string {
  if (!address.includes(':')) return address
  const parsed = ipaddr.IPv6.parse(address.replace(/%.*$/, ''))
  return parsed.parts
    .slice(0, 4)
    .map(part => part.toString(16))
    .join(':')
}
