// The session policies of a configuration, made into a chain: our own by name, the site's by path or package.
// Throws an Error that names the plugin when one cannot be had; what was made before is closed then.
import { type BuiltinPlugin, type Config, isBuiltin, type Plugin as PluginBlock } from '../platform/config.ts'
import type { Dns } from '../platform/dns.ts'
import { cachedDns } from '../platform/dns-cache.ts'
import type { Log } from '../platform/log.ts'
import type { Metrics } from '../platform/metrics.ts'
import { type Chain, type ChainedPlugin, createChain } from '../plugins/chain.ts'
import { loadPlugin } from '../plugins/load.ts'
import type { Plugin } from '../plugins/plugin.ts'
import { createPluginMetrics } from '../plugins/plugin-metrics.ts'
import type { PolicyStore } from '../storage/policy-store.ts'
import { createDnsbl } from './dnsbl.ts'
import { createGreylist } from './greylist.ts'
import { createHelo } from './helo.ts'
import type { PolicyContext } from './policy-context.ts'
import { createRateLimit } from './rate-limit.ts'
import { createRecipients } from './recipients.ts'
import { createSenderDomain } from './sender-domain.ts'

export type PolicyParts = Pick<PolicyContext, 'isOurs' | 'nextHop' | 'now'> &
  Readonly<{ dns: Dns; store: PolicyStore; log: Log; metrics: Metrics }>

/** Once for all policies. A name that was just made must not wait long, and an error says nothing. */
const REMEMBERED = { keep: { found: 60_000, none: 10_000, error: 0 }, mostAnswers: 50_000, mostQuestions: 2000 }

type Scanner = 'clamav' | 'rspamd'
type PolicyBlock = Exclude<PluginBlock, Readonly<{ name: Scanner }>>

export async function createPolicies({ hostname, plugins }: Config, parts: PolicyParts): Promise<Chain> {
  const { log, metrics, now } = parts
  const dns = cachedDns(parts.dns, { now, ...REMEMBERED })
  const made: ChainedPlugin[] = []
  try {
    for (const block of plugins.filter(isPolicy).filter(({ enabled }) => enabled)) {
      const { name, mode, timeout } = block
      const context: PolicyContext = {
        ...parts,
        dns,
        name,
        hostname,
        log: log.child({ plugin: name }),
        metrics: createPluginMetrics(metrics.registry, name),
        catalogue: metrics,
      }
      made.push({ name, mode, timeout, plugin: await createPolicy(block, context) })
    }
  } catch (error) {
    await createChain(made, { log, metrics }).close()
    throw error
  }
  return createChain(made, { log, metrics })
}

function isPolicy(block: PluginBlock): block is PolicyBlock {
  return block.name !== 'clamav' && block.name !== 'rspamd'
}

function createPolicy(block: PolicyBlock, context: PolicyContext): Plugin | Promise<Plugin> {
  return isBuiltin(block) ? createBuiltin(block, context) : loadPlugin(block.name, block.config, context)
}

function createBuiltin(block: Exclude<BuiltinPlugin, Readonly<{ name: Scanner }>>, context: PolicyContext): Plugin {
  switch (block.name) {
    case 'greylist':
      return createGreylist(block.config, context)
    case 'dnsbl':
      return createDnsbl(block.config, context)
    case 'helo':
      return createHelo(block.config, context)
    case 'sender-domain':
      return createSenderDomain(block.config, context)
    case 'recipients':
      return createRecipients(block.config, context)
    case 'rate-limit':
      return createRateLimit(block.config, context)
  }
}
