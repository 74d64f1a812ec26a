// Greylisting on a real policy store, with a clock that tests set and a DNS whose records they give.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openPolicyStore } from '../../src/backends.ts'
import type { PluginConfig } from '../../src/platform/config.ts'
import { builtinPlugin } from '../../src/platform/config-plugins.ts'
import type { Dns, DnsAnswer } from '../../src/platform/dns.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import type { TransactionView } from '../../src/plugins/plugin.ts'
import { createPluginMetrics } from '../../src/plugins/plugin-metrics.ts'
import { createGreylist } from '../../src/policy/greylist.ts'
import type { PolicyStore } from '../../src/storage/policy-store.ts'

export const SECOND = 1000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

/** What the DNS says, by name; an address in `ptr`. 'error' is a question that nobody answers. */
export type Zone = Readonly<Partial<Record<keyof Dns, Readonly<Record<string, readonly unknown[] | 'error'>>>>>

export type Home = Awaited<ReturnType<typeof greylistHome>>
export type Mail = Readonly<{
  from: string
  sender: string
  to: string
  trusted: boolean
  suspicions: readonly string[]
  queueId: string
}>

let minted = 0

export function greylistConfig(settings: Record<string, unknown> = {}): PluginConfig<'greylist'> {
  return builtinPlugin.parse({ name: 'greylist', config: settings }).config as PluginConfig<'greylist'>
}

/** Nobody waits for what greylisting writes but the next test step. */
function noticing(store: PolicyStore) {
  const writes = new Set<Promise<unknown>>()
  const update: PolicyStore['update'] = (...change) => {
    const write = store.update(...change)
    writes.add(write)
    return write
  }
  return {
    store: { ...store, update },
    async written() {
      await new Promise(resolve => setImmediate(resolve))
      await Promise.allSettled(writes)
      writes.clear()
    },
  }
}

export async function greylistHome({ time: start = 1_700_000_000_000 } = {}) {
  const dataDir = await mkdtemp(join(tmpdir(), 'elemta-greylist-'))
  const closers: (() => unknown)[] = [() => rm(dataDir, { recursive: true })]
  let time = start
  const now = () => time

  async function openStore(): Promise<PolicyStore> {
    const store = await openPolicyStore({ dataDir, now })
    closers.push(() => store.close())
    return store
  }

  return {
    dataDir,
    now,
    openStore,
    pass(milliseconds: number) {
      time += milliseconds
    },
    /** An ingress of its own: store, plugin and metrics. */
    async start(settings: Record<string, unknown> = {}, options: { zone?: Zone; store?: PolicyStore } = {}) {
      const { store, written } = noticing(options.store ?? (await openStore()))
      const dns = dnsOf(options.zone ?? {})
      const catalogue = createMetrics()
      const metrics = createPluginMetrics(catalogue.registry, 'greylist')
      const context = { name: 'greylist', hostname: 'mx.example.com', log: silentLog, now, store, metrics, catalogue }
      const plugin = createGreylist(greylistConfig(settings), {
        ...context,
        dns: dns.dns,
        isOurs: () => false,
        nextHop: () => undefined,
      })
      closers.push(() => plugin.close?.())
      return {
        plugin,
        asked: dns.asked,
        /** What a client hears at RCPT: `pass`, or the reply. */
        async say(mail: Partial<Mail> = {}): Promise<string> {
          const decision = await plugin.recipient?.(transaction(mail), mail.to ?? 'user@example.com')
          await written()
          if (decision?.decision !== 'defer') return String(decision?.decision)
          const { code, enhancedCode, text } = decision.reply
          return `${code} ${enhancedCode} ${text}`
        },
        /** Metrics that are not 0, without prefix. */
        async metrics(): Promise<Record<string, number>> {
          const lines = (await catalogue.registry.metrics()).split('\n')
          const samples = lines.filter(line => /^elemta_greylisting_/.test(line) && !line.includes('_bucket'))
          const pairs = samples.map(line => line.replace('elemta_greylisting_', '').split(' '))
          return Object.fromEntries(
            pairs.map(([name, value]) => [name, Number(value)]).filter(([, value]) => value !== 0),
          )
        },
      }
    },
    async dispose() {
      for (const close of closers.reverse()) await close()
    },
  }
}

function transaction({ from = '192.0.2.7', sender = 'a@example.org', ...rest }: Partial<Mail>): TransactionView {
  const { trusted = false, suspicions = [], queueId = `queue-id-${minted++}` } = rest
  const client = { address: from, port: 40123, helo: 'mail.example.org', esmtp: true }
  return { client, mode: 'mx', trusted, suspicions, queueId, reversePath: sender, recipients: [] }
}

function dnsOf(zone: Zone): { dns: Dns; asked: string[] } {
  const asked: string[] = []
  function answers<T>(type: keyof Dns) {
    return async (name: string): Promise<DnsAnswer<T>> => {
      asked.push(`${type} ${name}`)
      const found = zone[type]?.[name]
      if (found === 'error') return { kind: 'error', why: 'ESERVFAIL' }
      return found === undefined ? { kind: 'none' } : { kind: 'found', records: found as T[] }
    }
  }
  const dns: Dns = {
    a: answers('a'),
    aaaa: answers('aaaa'),
    mx: answers('mx'),
    txt: answers('txt'),
    ptr: answers('ptr'),
  }
  return { dns, asked }
}
