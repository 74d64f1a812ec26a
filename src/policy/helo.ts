// HELO checks: what a client calls itself is only a claim, but an obviously false one is a mark of malware. Decided at
// MAIL, when the last HELO and a login are known. A DNS that does not answer refuses nobody.
import { networkInterfaces } from 'node:os'
import { canonicalDomain } from '../mail/address.ts'
import { createNetworks } from '../mail/networks.ts'
import type { PluginConfig } from '../platform/config.ts'
import type { Dns } from '../platform/dns.ts'
import { type Decision, type Plugin, reject } from '../plugins/plugin.ts'
import type { PolicyContext } from './policy-context.ts'

/** Throws Error on settings that make no sense. */
export function createHelo(config: PluginConfig<'helo'>, { hostname, dns }: PolicyContext): Plugin {
  const allowed = createNetworks(config.allowlist, 'helo: allowlist')
  const ourAddresses = createNetworks(interfaceAddresses(), 'helo')
  const ourName = hostname.toLowerCase()

  return {
    async sender({ client, trusted }) {
      if (trusted || allowed(client.address)) return undefined
      const name = canonicalDomain(client.helo.replace(/\.$/, ''))
      // Programs of this machine do rightly use its name.
      if (config.own_name && name !== undefined && !ourAddresses(client.address)) {
        if (name === ourName) return refuse(client.helo, 'this is our name')
        const literal = addressIn(name)
        if (literal !== undefined && !isSame(literal, client.address)) {
          const isOurs = ourAddresses(literal) || (await hasAddress(dns, ourName, literal))
          if (isOurs) return refuse(client.helo, 'this is our address')
        }
      }
      if (config.full_name && !isFull(name)) return refuse(client.helo, 'not a full host name')
      if (config.resolves && name !== undefined && addressIn(name) === undefined && (await isUnknown(dns, name))) {
        return refuse(client.helo, 'host not found')
      }
      return undefined
    },
  }
}

/** A domain with a dot, or an address literal (RFC 5321 §4.1.1.1, §2.3.5). */
function isFull(name: string | undefined): boolean {
  return name !== undefined && (name.includes('.') || name.startsWith('['))
}

/** The address of a literal: `[192.0.2.1]`, `[ipv6:2001:db8::1]`. */
function addressIn(name: string): string | undefined {
  return /^\[(?:ipv6:)?(.*)\]$/.exec(name)?.[1]
}

function isSame(literal: string, address: string): boolean {
  return createNetworks([literal], 'helo')(address)
}

function refuse(helo: string, problem: string): Decision {
  const shown = helo.replaceAll(/[^\x21-\x7e]/g, '?').slice(0, 100)
  return reject(`HELO <${shown}> refused: ${problem}`)
}

/** The DNS says that the name has neither address nor mail server. */
async function isUnknown(dns: Dns, name: string): Promise<boolean> {
  const answers = await Promise.all([dns.a(name), dns.aaaa(name), dns.mx(name)])
  return answers.every(({ kind }) => kind === 'none')
}

/** Behind a translating router our public address is known to the DNS alone. */
async function hasAddress(dns: Dns, name: string, address: string): Promise<boolean> {
  const answer = await (address.includes(':') ? dns.aaaa(name) : dns.a(name))
  return answer.kind === 'found' && createNetworks(answer.records, 'dns')(address)
}

function interfaceAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap(addresses => addresses?.map(({ address }) => address) ?? [])
}
