// Long-term storage, in a second real Prometheus in place of the store: what arrives there, and that a store which was
// away has nothing missing afterwards.
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Prometheus, startPrometheus } from '../../local/drill/prometheus.ts'
import { freePort } from '../../local/embedded/port.ts'
import { remoteWrite } from '../../monitoring/remote-write.ts'
import { silentLog } from '../../src/platform/log.ts'
import { startPrivatePrometheus } from './start-prometheus.ts'

const RULES = `groups:
  - name: sample
    interval: 1s
    rules:
      - { record: 'longterm:elemta_messages_received:increase', expr: time(), labels: { resolution: 5m } }
      - { record: 'elemta:messages_received:rate5m', expr: time() }
      - { alert: Sample, expr: vector(1), labels: { severity: info } }
`
const KEPT = 'longterm:elemta_messages_received:increase'
let dir: string
let port: number
let store: Prometheus
let sender: Prometheus

/** With the data that it had. */
const startStore = () =>
  startPrometheus({ dir, name: 'store', port, files: { 'prometheus.yml': 'global: {}\n' }, log: silentLog })

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'elemta-store-'))
  chmodSync(dir, 0o755)
  port = await freePort()
  store = await startStore()
  const url = `${store.url}/api/v1/write`
  sender = await startPrivatePrometheus({
    'prometheus.yml': `rule_files: [rules.yml]\n${remoteWrite([{ kind: 'prometheus', url, series: 'long-term' }])}`,
    'rules.yml': RULES,
  })
})

afterAll(async () => {
  await sender?.stop()
  await store?.stop()
  rmSync(dir, { recursive: true, force: true })
})

const names = async (prometheus: Prometheus) =>
  (await prometheus.query('count by (__name__) ({__name__!=""})')).map(({ labels }) => labels.__name__).sort()

/** Samples of the kept series until `time`. */
async function samples(prometheus: Prometheus, time?: number): Promise<number> {
  return (await prometheus.query(`count_over_time(${KEPT}[1h])`, time))[0]?.value ?? 0
}

test('what is kept for long arrives, and alerts, but nothing else', async () => {
  await expect.poll(() => names(store), { timeout: 20_000 }).toEqual(['ALERTS', KEPT])
  expect(await names(sender)).toContain('elemta:messages_received:rate5m')
}, 30_000)

test('a store that was away has nothing missing afterwards', async () => {
  await store.stop()
  const before = await samples(sender)
  await expect.poll(() => samples(sender), { timeout: 20_000 }).toBeGreaterThan(before + 3)
  const meanwhile = Date.now() / 1000
  store = await startStore()
  const written = await samples(sender, meanwhile)
  expect(written).toBeGreaterThan(before + 3)
  await expect.poll(() => samples(store, meanwhile), { timeout: 30_000 }).toBe(written)
}, 60_000)
