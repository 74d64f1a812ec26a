// Under which keys greylisting remembers: the spaces of the policy store, a client's network, and triplets as keys that
// a person can read and a program can take apart again. Pure.
import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { domainOf } from '../mail/envelope.ts'

export const TRIPLETS = 'greylist-triplets'
export const CLIENTS = 'greylist-clients'

export type Prefixes = Readonly<{ ipv4_prefix: number; ipv6_prefix: number }>
export type TripletKey = Readonly<{
  /** A network, or a sender domain whose SPF passed. */
  client: string
  /** '' is the null sender. */
  sender: string
  recipient: string
}>

/** Never in an address: no control character is. */
const BETWEEN = '\t'

/** `192.0.2.0/24`, `2001:db8:1:2::/64`. Throws when `address` is no IP address. */
export function networkOf(address: string, { ipv4_prefix, ipv6_prefix }: Prefixes): string {
  const family = isIP(address) === 4 ? ipaddr.IPv4 : ipaddr.IPv6
  const prefix = family === ipaddr.IPv4 ? ipv4_prefix : ipv6_prefix
  return `${family.networkAddressFromCIDR(`${address}/${prefix}`).toString()}/${prefix}`
}

/** The local part's case is kept: it is the sender's business whether that tells mailboxes apart (RFC 5321 §2.4). */
export function tripletKey({ client, sender, recipient }: TripletKey): string {
  return [client, lowerDomain(sender), lowerDomain(recipient)].join(BETWEEN)
}

/** What the keys of all triplets of a client begin with. */
export function tripletPrefix(client: string): string {
  return client + BETWEEN
}

/** The inverse of `tripletKey`. */
export function readTripletKey(key: string): TripletKey {
  const [client = '', sender = '', recipient = ''] = key.split(BETWEEN)
  return { client, sender, recipient }
}

function lowerDomain(address: string): string {
  const domain = domainOf(address)
  return address.slice(0, address.length - domain.length) + domain
}
