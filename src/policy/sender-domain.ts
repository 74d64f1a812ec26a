// The sender's domain must be able to take mail, or else no answer and no bounce could ever reach the sender. Decided
// at MAIL. Only a clear answer of the DNS refuses; when it gives none, the client is told to come back.

import { createDomainPatterns } from '../mail/domain-pattern.ts'
import { domainOf } from '../mail/envelope.ts'
import { createNetworks } from '../mail/networks.ts'
import type { PluginConfig } from '../platform/config.ts'
import type { Dns } from '../platform/dns.ts'
import { type Decision, defer, type Plugin, reject } from '../plugins/plugin.ts'
import type { PolicyContext } from './policy-context.ts'

type DomainState =
  | Readonly<{ kind: 'takes-mail' | 'null-mx' | 'unknown' }>
  /** The DNS did not answer. */
  | Readonly<{ kind: 'error'; why: string }>

/** Throws Error on settings that make no sense. */
export function createSenderDomain(config: PluginConfig<'sender-domain'>, { dns }: PolicyContext): Plugin {
  const allowed = createNetworks(config.allowlist, 'sender-domain: allowlist')
  const notAsked = createDomainPatterns(config.domains)

  return {
    async sender({ client, trusted, reversePath }) {
      if (trusted || reversePath === '' || allowed(client.address)) return undefined
      const domain = domainOf(reversePath)
      if (notAsked(domain)) return undefined
      if (domain === '' || domain.startsWith('[')) {
        return reject('Sender address needs a domain', { enhancedCode: '5.1.8' })
      }
      return decide(domain, await stateOf(dns, domain))
    },
  }
}

function decide(domain: string, state: DomainState): Decision | undefined {
  switch (state.kind) {
    case 'takes-mail':
      return undefined
    case 'null-mx': // RFC 7505 §4.2
      return reject(`Sender address refused: ${domain} takes no mail (null MX)`, { enhancedCode: '5.7.27' })
    case 'unknown':
      return reject(`Sender address refused: ${domain} has neither MX nor address`, { enhancedCode: '5.1.8' })
    case 'error': {
      const text = `Sender address: ${domain} cannot be looked up now, try again later`
      return defer(text, { enhancedCode: '4.4.3', why: `DNS for ${domain}: ${state.why}` })
    }
  }
}

/** By the rules of sending to it (RFC 5321 §5.1): MX records, or else an address of its own. */
async function stateOf(dns: Dns, domain: string): Promise<DomainState> {
  const mx = await dns.mx(domain)
  if (mx.kind === 'error') return mx
  if (mx.kind === 'found') {
    const hosts = mx.records.filter(({ exchange }) => exchange !== '' && exchange !== '.')
    return { kind: hosts.length > 0 ? 'takes-mail' : 'null-mx' }
  }
  const addresses = await Promise.all([dns.a(domain), dns.aaaa(domain)])
  if (addresses.some(({ kind }) => kind === 'found')) return { kind: 'takes-mail' }
  return addresses.find(answer => answer.kind === 'error') ?? { kind: 'unknown' }
}
