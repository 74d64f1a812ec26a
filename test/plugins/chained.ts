// A chain of plugins for one test, with what it logs and counts, and views to ask it with.
import { Writable } from 'node:stream'
import { pino } from 'pino'
import { replyText } from '../../src/mail/reply.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { type ChainedPlugin, createChain, type Outcome } from '../../src/plugins/chain.ts'
import type { Plugin, TransactionView } from '../../src/plugins/plugin.ts'

export type Entry = Plugin & Partial<Pick<ChainedPlugin, 'mode' | 'timeout'>>

/** Named a, b, c … in their order. */
export function chained(...entries: readonly Entry[]) {
  const metrics = createMetrics()
  const lines: Record<string, unknown>[] = []
  const written = new Writable({
    write(line, _encoding, done) {
      lines.push(JSON.parse(String(line)))
      done()
    },
  })
  const log = pino({ messageKey: 'event', base: null, timestamp: false }, written)
  const plugins = entries.map(({ mode = 'enforce', timeout = 10_000, ...plugin }, n) => ({
    name: String.fromCharCode(97 + n),
    plugin,
    mode,
    timeout,
  }))
  async function metric(series: string): Promise<number> {
    const line = (await metrics.registry.metrics()).split('\n').find(text => text.startsWith(`${series} `))
    return line === undefined ? Number.NaN : Number(line.split(' ').at(-1))
  }
  return {
    chain: createChain(plugins, { log, metrics }),
    logged: (event: string) => lines.filter(line => line.event === event),
    metric,
    executions: (plugin: string, outcome: string) =>
      metric(`elemta_plugin_execution_total{plugin="${plugin}",outcome="${outcome}"}`),
  }
}

export const view: TransactionView = {
  client: { address: '203.0.113.9', port: 40_000, helo: 'mail.sender.test', esmtp: true },
  mode: 'mx',
  trusted: false,
  suspicions: [],
  queueId: 'Q1',
  reversePath: 'ann@sender.test',
  recipients: [],
}

/** `taken`, or who refused with which reply. */
export function outcomeText({ refusal }: Outcome): string {
  return refusal === undefined ? 'taken' : `${refusal.plugin}: ${replyText(refusal.reply)}`
}
