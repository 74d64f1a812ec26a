// Addresses that mail may go to when a stranger's DNS names them: public ones that are not our own.
import { networkInterfaces } from 'node:os'
import ipaddr from 'ipaddr.js'
import { canonicalAddress } from '../mail/networks.ts'

/**
 * False for loopback, private, link-local (cloud metadata), shared, multicast, reserved and translated addresses, and
 * for those of this machine: an attempt there would be a way into our network, or a loop.
 */
export function mayConnectTo(address: string): boolean {
  if (!ipaddr.isValid(address) || ipaddr.process(address).range() !== 'unicast') return false
  return !ownAddresses().includes(canonicalAddress(address) ?? address)
}

/** Is there an address of this machine from which the IPv6 internet can be reached? */
export function hasPublicIpv6(): boolean {
  return ownAddresses().some(address => address.includes(':') && ipaddr.parse(address).range() === 'unicast')
}

function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap(all =>
    (all ?? []).map(({ address }) => canonicalAddress(address) ?? address),
  )
}
