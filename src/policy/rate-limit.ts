// Rates per client, or per user for those who have logged in. Who is beyond one is told when to come back: 4yz, never
// refused for good. Counted in memory, for each process by itself and anew after a start; bounded, so that a flood from
// many addresses costs forgotten clients, not memory.
import { clientKey } from '../mail/client-network.ts'
import { createNetworks } from '../mail/networks.ts'
import type { PluginConfig } from '../platform/config.ts'
import type { Rate } from '../platform/config-fields.ts'
import { formatDuration, formatSize } from '../platform/config-units.ts'
import { createTokenBuckets } from '../platform/token-buckets.ts'
import { type Decision, defer, type Plugin, type SessionView } from '../plugins/plugin.ts'
import type { PolicyContext } from './policy-context.ts'

const MOST_CLIENTS = 100_000

type RateName = 'connections' | 'messages' | 'recipients' | 'octets' | 'user_messages' | 'user_recipients'

/** Throws Error on settings that make no sense. */
export function createRateLimit(config: PluginConfig<'rate-limit'>, { catalogue, now }: PolicyContext): Plugin {
  const allowed = createNetworks(config.allowlist, 'rate-limit: allowlist')
  const limits = {
    connections: limit('connections'),
    messages: limit('messages'),
    recipients: limit('recipients'),
    octets: limit('octets'),
    user_messages: limit('user_messages'),
    user_recipients: limit('user_recipients'),
  }

  function limit(name: RateName) {
    const { amount, period } = config[name]
    if (amount > 0 && period > 0) return createTokenBuckets(config[name], MOST_CLIENTS)
    throw new Error(`rate-limit: ${name} would let nothing through; write an amount and a time, such as 60/m`)
  }

  /** Takes so many of one rate; a decision when they are not there. */
  function spend(name: RateName, { client }: SessionView, tokens = 1): Decision | undefined {
    if (allowed(client.address)) return undefined
    const who = client.user === undefined ? clientKey(client.address) : `user ${client.user}`
    const wait = limits[name](who, tokens, now())
    if (wait === 0) return undefined
    catalogue.rateLimited.inc(name)
    return tooMuch(name, config[name], wait, who)
  }

  return {
    connect: session => spend('connections', session),
    sender: transaction => spend(transaction.client.user === undefined ? 'messages' : 'user_messages', transaction),
    recipient: transaction =>
      spend(transaction.client.user === undefined ? 'recipients' : 'user_recipients', transaction),
    message: (transaction, { size }) => spend('octets', transaction, size),
  }
}

function tooMuch(name: RateName, rate: Rate, wait: number, who: string): Decision {
  const what = name.replace('user_', '')
  const amount = name === 'octets' ? formatSize(rate.amount) : `${rate.amount} ${what}`
  const seconds = Math.ceil(wait / 1000)
  const text = `Too many ${what}: at most ${amount} in ${formatDuration(rate.period)}, come back in ${seconds} s`
  const why = `rate ${name} of ${who}: ${amount} in ${formatDuration(rate.period)}`
  // 421: no session comes of it (RFC 5321 §3.8).
  return defer(text, name === 'connections' ? { code: 421, enhancedCode: '4.7.0', why } : { why })
}
