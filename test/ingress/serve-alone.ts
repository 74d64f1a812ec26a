// An ingress in a process of its own, for what can only be seen from outside. Tells its port, then its memory when asked.
import { startIngress } from '../../src/ingress/server.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { createChain } from '../../src/plugins/chain.ts'
import { memoryBackends } from './memory-backends.ts'

const metrics = createMetrics()
const ingress = await startIngress({
  hostname: 'mx.example.com',
  listeners: [{ address: '127.0.0.1', port: 0, mode: 'mx' }],
  relay: { domains: ['example.com'], networks: [] },
  limits: { messageSize: 1_000_000, recipients: 100, connections: 2000, connectionsPerClient: 2000 },
  backends: memoryBackends().backends,
  log: silentLog,
  metrics,
  chain: createChain([], { log: silentLog, metrics }),
  now: Date.now,
})
process.on('message', () => process.send?.(process.memoryUsage().rss))
process.on('disconnect', () => process.exit())
process.send?.(ingress.addresses[0]?.port)
