// A server that mail is handed to, and how it wants to be met. `host` is a name or an IP address, IPv6 without brackets.
import type { Rate } from '../platform/config-fields.ts'

/** `may`: TLS where it is offered. `encrypt`: or a deferral. `verify`: and with a certificate for the host. */
export type TlsPolicy = 'none' | 'may' | 'encrypt' | 'verify'

export type NextHop = Readonly<{
  /** `smtps`: TLS from the first octet on. */
  protocol: 'smtp' | 'smtps' | 'lmtp'
  host: string
  port: number
  /** `may` unless given. */
  tls?: TlsPolicy
  /** The name that its certificate must have, where that is not `host` (an MX by its own name). */
  certificateName?: string
  /** PEM file of the authority that signed it. */
  ca?: string
  auth?: Readonly<{ user: string; password: string }>
  /** Our address to connect from, and our name in EHLO. */
  source?: string
  helo?: string
  /** At the same time; messages per connection; messages per time. */
  connections?: number
  messagesPerConnection?: number
  rate?: Rate
}>

/** Two next hops with one key may share sessions: nothing of what a session depends on differs. Names no secret. */
export function nextHopKey(nextHop: NextHop): string {
  const { protocol, host, port, tls = 'may', certificateName, ca, auth, source, helo } = nextHop
  return JSON.stringify([protocol, host, port, tls, certificateName, ca, auth?.user, source, helo])
}
