// Who is never greylisted by configuration: client networks, and addresses or domains of senders and recipients.
// Pure; a client network that is none throws when the list is made.
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
    sender: address => senders.some(pattern => matchesAddress(pattern, address)),
    recipient: address => recipients.some(pattern => matchesAddress(pattern, address)),
  }
}

/** `user@example.com`, `example.com` or `*.example.com`; without regard to case. */
function matchesAddress(pattern: string, address: string): boolean {
  if (address === '') return false
  if (pattern.includes('@') || !address.includes('@')) return pattern.toLowerCase() === address.toLowerCase()
  return matchesDomain(pattern, domainOf(address))
}

/** `example.com`, `*.example.com` (what is below it, not itself) or `*`. */
export function matchesDomain(pattern: string, domain: string): boolean {
  const wanted = pattern.toLowerCase()
  if (wanted === '*') return domain !== ''
  return wanted.startsWith('*.') ? domain.endsWith(wanted.slice(1)) : domain === wanted
}
