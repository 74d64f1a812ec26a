// Greylisting: who has not written before is asked to come back; a mail server does, most malware does not. What it
// remembers is in the policy store, so several ingresses agree. It never refuses for good, and a store that fails or
// is slow lets mail pass, counted: a greylist must not stop mail. An unanswered DNS question counts as no suspicion
// and as no SPF pass.
import { createDomainPatterns } from '../mail/domain-pattern.ts'
import { domainOf } from '../mail/envelope.ts'
import type { PluginConfig } from '../platform/config.ts'
import { type Decision, defer, type Plugin, pass, type TransactionView } from '../plugins/plugin.ts'
import { createAllowlist } from './greylist-allowlist.ts'
import { startCleanup } from './greylist-cleanup.ts'
import { clientStanding, countPass, decideTriplet, type GreylistDecision } from './greylist-decision.ts'
import { CLIENTS, networkOf, TRIPLETS, tripletKey } from './greylist-key.ts'
import { createMemory } from './greylist-memory.ts'
import type { PolicyContext } from './policy-context.ts'
import { spfPasses } from './spf.ts'
import { createWriteBehind } from './write-behind.ts'

/** Together below the chain's usual 10 s, after which a client is told to come back. In milliseconds. */
const STORE_TIMEOUT = 1000
const SPF_TIMEOUT = 4000
const PTR_TIMEOUT = 3000

/** Milliseconds between two warnings about the store. */
const WARN_AGAIN = 60_000

type Exempt = 'auto-allowed' | 'allowlist' | 'spf' | 'unsuspicious' | 'trusted' | 'store-failed'
type Judgement = GreylistDecision | Readonly<{ kind: Exempt }>

/** Throws Error when the settings contradict each other. */
export function createGreylist(config: PluginConfig<'greylist'>, context: PolicyContext): Plugin {
  const { store, dns, log, now, catalogue, hostname } = context
  const { delay, retry_window: retryWindow, lifetime, auto_allow: autoAllow } = config
  if (retryWindow <= delay) throw new Error('greylist: retry_window must be longer than delay: nobody could ever pass')
  const times = { delay, retryWindow, lifetime, autoAllow }
  const allowlist = createAllowlist(config.allowlist)
  const spfAllowed = createDomainPatterns(config.spf_allow)
  const cleanup = startCleanup(context)
  const spfPassed = createMemory<boolean>()
  const nameless = createMemory<boolean>()
  const writes = createWriteBehind(store, warn)
  let warnedAt = Number.NEGATIVE_INFINITY

  function warn(err: unknown): void {
    if (now() - warnedAt < WARN_AGAIN) return
    warnedAt = now()
    log.warn({ plugin: context.name, err }, 'greylist-store-failed')
  }

  /** Asked once in a transaction, however many recipients it has. */
  const passesSpf = ({ queueId, client, reversePath }: TransactionView) =>
    spfPassed(queueId, () =>
      spfPasses({ dns, client: client.address, helo: client.helo, reversePath, hostname, timeout: SPF_TIMEOUT }),
    )
  const hasNoName = ({ queueId, client }: TransactionView) =>
    nameless(queueId, async () => {
      const answer = await within(PTR_TIMEOUT, dns.ptr(client.address)).catch(() => ({ kind: 'error' }))
      return answer.kind === 'none'
    })

  /** What counts as the same client. */
  async function clientOf(transaction: TransactionView): Promise<string> {
    const sender = domainOf(transaction.reversePath)
    if (config.key === 'spf' && sender !== '' && (await passesSpf(transaction))) return sender
    return networkOf(transaction.client.address, config)
  }

  async function exemption(transaction: TransactionView, recipient: string): Promise<Exempt | undefined> {
    const { client, trusted, reversePath, suspicions } = transaction
    if (trusted) return 'trusted'
    if (allowlist.client(client.address) || allowlist.sender(reversePath) || allowlist.recipient(recipient)) {
      return 'allowlist'
    }
    if (config.only_suspicious && suspicions.length === 0 && !(await hasNoName(transaction))) return 'unsuspicious'
    const domain = domainOf(reversePath)
    const listed = domain !== '' && spfAllowed(domain)
    return listed && (await passesSpf(transaction)) ? 'spf' : undefined
  }

  async function askStore(client: string, transaction: TransactionView, recipient: string): Promise<Judgement> {
    const { queueId, reversePath: sender } = transaction
    await writes.room()
    const at = now()
    const names = new Set([client, networkOf(transaction.client.address, config), transaction.client.address])
    for (const entry of await Promise.all([...names].map(name => writes.get(CLIENTS, name, at)))) {
      const standing = clientStanding(entry, times)
      if (standing === 'allowed') return { kind: 'allowlist' }
      if (entry !== undefined && standing === 'auto-allowed') {
        writes.update(CLIENTS, entry.key, at, current => countPass(current, queueId, at, times))
        return { kind: 'auto-allowed' }
      }
    }

    const key = tripletKey({ client, sender, recipient })
    const { decision } = decideTriplet(await writes.get(TRIPLETS, key, at), at, times)
    writes.update(TRIPLETS, key, at, current => decideTriplet(current, at, times).entry)
    const passed = decision.kind === 'known' || decision.kind === 'waited'
    if (passed && autoAllow > 0) writes.update(CLIENTS, client, at, current => countPass(current, queueId, at, times))
    // What cannot be remembered would be deferred for ever.
    return !passed && writes.failing() ? { kind: 'store-failed' } : decision
  }

  async function judge(transaction: TransactionView, recipient: string): Promise<Judgement> {
    const exempt = await exemption(transaction, recipient)
    if (exempt !== undefined) return { kind: exempt }
    const client = await clientOf(transaction)
    try {
      return await within(STORE_TIMEOUT, askStore(client, transaction, recipient))
    } catch (err) {
      warn(err)
      return { kind: 'store-failed' }
    }
  }

  return {
    async recipient(transaction, recipient): Promise<Decision> {
      catalogue.greylistingTotal.inc()
      const judgement = await judge(transaction, recipient)
      switch (judgement.kind) {
        case 'new':
        case 'early': {
          catalogue.greylistingDeferred.inc(judgement.kind)
          const why = judgement.kind === 'new' ? 'greylisted' : 'greylisted, came back too early'
          return defer(`Greylisted, try again in ${Math.ceil(judgement.wait / 1000)} seconds`, { why })
        }
        case 'waited':
          catalogue.greylistingDelay.observe(judgement.cost / 1000)
          catalogue.greylistingPassed.inc(judgement.kind)
          return pass
        default:
          catalogue.greylistingPassed.inc(judgement.kind)
          return pass
      }
    },
    async close() {
      await writes.settle()
      await cleanup.stop()
    },
  }
}

/** Rejects when `promise` takes longer than `timeout` milliseconds; what it comes to then is nobody's business. */
async function within<T>(timeout: number, promise: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`no answer within ${timeout} ms`)), timeout)
  try {
    return await Promise.race([promise, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
