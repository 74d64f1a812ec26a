// One DNSBL zone: the name to ask for a client, and what its answer means (RFC 5782). Never rejects: a zone that cannot
// be asked, or that answers what no denylist answers, is an error and lists nobody.
import { setTimeout as after } from 'node:timers/promises'
import ipaddr from 'ipaddr.js'
import { createNetworks } from '../mail/networks.ts'
import type { Dns } from '../platform/dns.ts'

export type ZoneSettings = Readonly<{ zone: string; weight: number; answers: readonly string[] }>

export type ZoneAnswer =
  | Readonly<{ kind: 'listed'; zone: string; weight: number; reason: string }>
  | Readonly<{ kind: 'not-listed'; zone: string }>
  | Readonly<{ kind: 'error'; zone: string; why: string }>

export type Zone = Readonly<{ name: string; ask(address: string): Promise<ZoneAnswer> }>

const REASON_WAIT = 1000

/** Throws Error on an entry of `answers` that is no network. */
export function createZone({ zone, weight, answers }: ZoneSettings, dns: Dns): Zone {
  const listing = createNetworks(answers, `dnsbl: answers of ${zone}`)
  const name = publicName(zone)
  return {
    name,
    async ask(address) {
      const query = queryName(address, zone)
      const found = await dns.a(query)
      if (found.kind === 'none') return { kind: 'not-listed', zone: name }
      if (found.kind === 'error') return { kind: 'error', zone: name, why: found.why }
      const odd = found.records.find(answer => problemOf(answer) !== undefined)
      if (odd !== undefined) return { kind: 'error', zone: name, why: `${odd}: ${problemOf(odd)}` }
      const listed = found.records.filter(listing)
      if (listed.length === 0) return { kind: 'not-listed', zone: name }
      // Only for the log: it must not cost the decision its deadline.
      const text = await Promise.race([dns.txt(query), after(REASON_WAIT, { kind: 'none' } as const, { ref: false })])
      const said = text.kind === 'found' ? ` (${printable(text.records[0]!)})` : ''
      return { kind: 'listed', zone: name, weight, reason: `${name} ${listed.join(',')}${said}` }
    },
  }
}

/** `4.3.2.1.zone` for 1.2.3.4, 32 nibbles for IPv6 (RFC 5782 §2.1, §2.4). */
export function queryName(address: string, zone: string): string {
  const parsed = ipaddr.process(address.replace(/%.*$/, ''))
  const octets = parsed.toByteArray()
  const labels =
    parsed.kind() === 'ipv4'
      ? octets.map(String)
      : octets.flatMap(octet => [octet >> 4, octet & 15].map(nibble => nibble.toString(16)))
  return `${labels.reverse().join('.')}.${zone}`
}

/** Denylists answer from 127/8; Spamhaus says there, too, that it did not answer. */
function problemOf(answer: string): string | undefined {
  if (answer.startsWith('127.255.255.')) return 'the zone refuses our questions'
  return answer.startsWith('127.') ? undefined : 'not an answer of a denylist'
}

/** Zones for customers begin with the account's key (`KEY.zen.dq.spamhaus.net`), which nobody else may see. */
export function publicName(zone: string): string {
  return zone.replace(/^[a-z0-9]{20,}\.(?=.*\.)/, '')
}

function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]/gu, ' ').slice(0, 200)
}
