// What an operator means by a client: an address, one of the networks that triplets are kept by, or (with `key: spf`)
// a sender domain. Pure; throws RangeError with a sentence for people.
import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { canonicalDomain } from '../mail/address.ts'
import { networkOf, type Prefixes } from './greylist-key.ts'

export type NamedClient = Readonly<{
  /** As clients are remembered. */
  name: string
  /** As the client of triplets: the network of an address. */
  key: string
}>

export function parseClient(text: string, prefixes: Prefixes): NamedClient {
  const [address = '', prefix] = text.split('/')
  if (isIP(address) === 0) {
    const domain = prefix === undefined ? canonicalDomain(text) : undefined
    if (domain === undefined || domain.startsWith('[')) {
      throw new RangeError(`expected an IP address, a network or a domain, not "${text}"`)
    }
    return { name: domain, key: domain }
  }
  const plain = ipaddr.process(address).toString()
  const key = networkOf(plain, prefixes)
  if (prefix === undefined) return { name: plain, key }
  if (key !== `${plain}/${prefix}`) {
    throw new RangeError(
      `greylisting knows ${address} as ${key} (ipv4_prefix, ipv6_prefix), not as ${text}; ` +
        'other networks belong in allowlist.clients of its configuration',
    )
  }
  return { name: key, key }
}
