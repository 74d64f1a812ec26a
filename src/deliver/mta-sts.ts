// The MTA-STS policy in force for a domain (RFC 8461): found by a DNS record, fetched over HTTPS, kept for its max_age,
// also across restarts. Never rejects: without a policy mail goes as it would anyway; but one that was fetched once holds
// until its time is over, whatever becomes of the record, or an attacker who can suppress it would be rid of it (§5.1).
import type { Dns } from '../platform/dns.ts'
import type { Log } from '../platform/log.ts'
import type { PolicyStore } from '../storage/policy-store.ts'
import type { PolicyFetch } from './mta-sts-fetch.ts'
import { parsePolicy, policyId, type StsPolicy } from './mta-sts-policy.ts'

export type MtaSts = (domain: string) => Promise<StsPolicy | undefined>

export type MtaStsOptions = Readonly<{
  dns: Dns
  fetchPolicy: PolicyFetch
  /** Without one, policies are only remembered by this process. */
  store?: PolicyStore | undefined
  /** Milliseconds since 1970. */
  now: () => number
  log: Log
}>

type Kept = Readonly<{ id: string; policy: StsPolicy; expiresAt: number }>

const SPACE = 'mta-sts'
const MOST_REMEMBERED = 10_000
/** Milliseconds before a fetch that failed is tried again. */
const FETCH_AGAIN_AFTER = 300_000

export function createMtaSts({ dns, fetchPolicy, store, now, log }: MtaStsOptions): MtaSts {
  const remembered = new Map<string, Kept>()
  const failedAt = new Map<string, number>()
  const underWay = new Map<string, Promise<StsPolicy | undefined>>()

  async function recall(domain: string): Promise<Kept | undefined> {
    const kept = remembered.get(domain) ?? (await readStore(domain))
    return kept !== undefined && kept.expiresAt > now() ? kept : undefined
  }

  async function readStore(domain: string): Promise<Kept | undefined> {
    const entry = await store?.get(SPACE, domain, now()).catch(() => undefined)
    if (entry === undefined) return undefined
    const { id, mode, mx, maxAge } = entry.value
    const policy = { mode, mx: String(mx).split(' '), maxAge } as StsPolicy
    return { id: String(id), policy, expiresAt: entry.expiresAt }
  }

  async function keep(domain: string, id: string, policy: StsPolicy): Promise<void> {
    const expiresAt = now() + policy.maxAge * 1000
    bounded(remembered, domain, { id, policy, expiresAt })
    const { mode, mx, maxAge } = policy
    const entry = { value: { id, mode, mx: mx.join(' '), maxAge }, expiresAt }
    await store
      ?.update(SPACE, domain, now(), () => entry)
      .catch(error => {
        log.warn({ domain, why: String(error) }, 'mta-sts-not-kept')
      })
  }

  async function find(domain: string): Promise<StsPolicy | undefined> {
    const [kept, answer] = await Promise.all([recall(domain), dns.txt(`_mta-sts.${domain}`)])
    const id = answer.kind === 'found' ? policyId(answer.records) : undefined
    if (id === undefined || id === kept?.id) return kept?.policy
    if (Math.abs(now() - (failedAt.get(domain) ?? Number.NEGATIVE_INFINITY)) < FETCH_AGAIN_AFTER) return kept?.policy
    try {
      const policy = parsePolicy(await fetchPolicy(domain))
      if (policy === undefined) throw new Error('what is there is no policy')
      failedAt.delete(domain)
      await keep(domain, id, policy)
      return policy
    } catch (error) {
      bounded(failedAt, domain, now())
      log.warn({ domain, why: (error as Error).message, kept: kept !== undefined }, 'mta-sts-not-fetched')
      return kept?.policy
    }
  }

  return domain => {
    const asked = underWay.get(domain) ?? find(domain).finally(() => underWay.delete(domain))
    underWay.set(domain, asked)
    return asked
  }
}

function bounded<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key)
  map.set(key, value)
  if (map.size > MOST_REMEMBERED) map.delete(map.keys().next().value!)
}
