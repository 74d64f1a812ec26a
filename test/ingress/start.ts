// An ingress for one test: a free port, storage in memory, everything gone when the test is over.
import { Writable } from 'node:stream'
import { pino } from 'pino'
import { onTestFinished } from 'vitest'
import { type IngressOptions, startIngress } from '../../src/ingress/server.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { createChain } from '../../src/plugins/chain.ts'
import type { Plugin } from '../../src/plugins/plugin.ts'
import { memoryBackends, type Obstacles } from './memory-backends.ts'

type Settings = Partial<Omit<IngressOptions, 'limits' | 'chain'>> & {
  /** A plugin with these hooks, and the milliseconds that each has. */
  plugin?: Plugin
  pluginTimeout?: number
  limits?: Partial<IngressOptions['limits']>
  obstacles?: Obstacles
}

const LIMITS = { messageSize: 1_000_000, recipients: 100, connections: 100, connectionsPerClient: 100 }

export async function start({ limits, obstacles = {}, plugin, pluginTimeout = 30, ...settings }: Settings = {}) {
  const storage = memoryBackends(obstacles)
  const metrics = createMetrics()
  const lines: Record<string, unknown>[] = []
  const written = new Writable({
    write(line, _encoding, done) {
      lines.push(JSON.parse(String(line)))
      done()
    },
  })
  const log = pino({ messageKey: 'event', level: 'debug' }, written)
  const ingress = await startIngress({
    hostname: 'mx.example.com',
    listeners: [{ address: '127.0.0.1', port: 0, mode: 'mx' }],
    relay: { domains: ['example.com', 'xn--bcher-kva.example'], networks: [] },
    limits: { ...LIMITS, ...limits },
    backends: storage.backends,
    chain: createChain(
      plugin === undefined ? [] : [{ name: 'test', plugin, mode: 'enforce', timeout: pluginTimeout }],
      { log, metrics },
    ),
    log,
    metrics,
    now: Date.now,
    ...settings,
  })
  onTestFinished(() => ingress.drain(0))

  return {
    ...storage,
    ingress,
    port: ingress.addresses[0]!.port,
    metrics,
    /** Log lines of that event so far. */
    logged: (event: string) => lines.filter(line => line.event === event),
    /** The value of a series on a scrape, such as `elemta_messages_received_total`. */
    async metric(series: string) {
      const line = (await metrics.registry.metrics()).split('\n').find(text => text.startsWith(`${series} `))
      return Number(line?.split(' ').at(-1))
    },
  }
}
