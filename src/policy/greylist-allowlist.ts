// Who is never greylisted by configuration: client networks, and addresses or domains of senders and recipients.
// Pure; a client network that is none throws when the list is made.
import { createDomainPatterns } from '../mail/domain-pattern.ts'
import { domainOf } from '../mail/envelope.ts'
import { createNetworks } from '../mail/networks.ts'

export type AllowlistSettings = Readonly<{
  clients: readonly string[]
  senders: readonly string[]
  recipients: readonly string[]
}>

export type Allowlist = Readonly<{
  client(address: string): boolean
  /** The null sender is in no list. */
  sender(reversePath: string): boolean
  recipient(address: string): boolean
}>

export function createAllowlist({ clients, senders, recipients }: AllowlistSettings): Allowlist {
  return {
    client: createNetworks(clients, 'allowlist.clients'),
    sender: createAddressPatterns(senders),
    recipient: createAddressPatterns(recipients),
  }
}

/** `user@example.com`, `example.com`, `*.example.com` or `*`; without regard to case. */
function createAddressPatterns(patterns: readonly string[]): (address: string) => boolean {
  const wanted = patterns.map(pattern => pattern.toLowerCase())
  const addresses = new Set(wanted)
  const inDomain = createDomainPatterns(wanted)
  return address => {
    if (address === '') return false
    return addresses.has(address.toLowerCase()) || (address.includes('@') && inDomain(domainOf(address)))
  }
}
