// /metrics of a running gateway: all that the catalogue promises, no label value that it does not know, and a real
// Prometheus that reads it, exemplars included.
import { expect, inject, onTestFinished, test } from 'vitest'
import { CATALOGUE } from '../../src/platform/catalogue/catalogue.ts'
import type { Definition } from '../../src/platform/catalogue/definition.ts'
import { startPrivatePrometheus } from '../monitoring/start-prometheus.ts'
import { type Gateway, startGateway } from './gateway.ts'
import { EICAR, gtube, mail, mailWithAttachment, send } from './mail.ts'
import { withScanners } from './scanners.ts'

const CONFIGURED: Readonly<Record<string, RegExp>> = {
  plugin: /^(clamav|rspamd|helo)$/,
  outcome: /^(pass|tag|reject|defer|log|error|timeout)$/,
  certificate: /^mx\.example\.com$/,
  version: /^\d+\.\d+\.\d+$/,
  home: /^embedded$/,
  route: /^\S+$/,
}

const LATENCIES = [
  'accept_duration',
  'security_scan_latency',
  'clamav_scan_duration',
  'rspamd_scan_duration',
  'queue_processing_time',
  'delivery_duration',
  'delivery_first_attempt_delay',
]

/** With one message of each kind through it. */
async function busyGateway(): Promise<Gateway & { queueIds: string[] }> {
  const { plugins } = withScanners(inject('clamav'), inject('rspamd'))
  const gateway = await startGateway({ config: { plugins: [...plugins, { name: 'helo' }] } })
  onTestFinished(() => gateway[Symbol.asyncDispose]())
  const contents = [mail(), mailWithAttachment('a.com', Buffer.from(EICAR)), mail({ body: gtube() })]
  const queueIds: string[] = []
  for (const content of contents) queueIds.push((await send(gateway.port, { content })).queueId)
  for (const queueId of queueIds) await gateway.settled(queueId, 'delivered', 'quarantined', 'discarded')
  return { ...gateway, queueIds }
}

const url = ({ opsPort }: Gateway, path: string) => `http://127.0.0.1:${opsPort}${path}`

test('a live scrape has every metric of the catalogue, and only label values of its closed sets', async () => {
  const gateway = await busyGateway()
  const text = await (await fetch(url(gateway, '/metrics'))).text()
  const definitions: readonly Definition[] = Object.values(CATALOGUE)
  const described = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name))
  expect(definitions.filter(({ name }) => !described.has(name))).toEqual([])

  const samples = [...text.matchAll(/^(elemta_\w+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? \S+$/gm)]
  expect(samples.length).toBeGreaterThan(400)
  for (const [line, name, pairs = ''] of samples) {
    const definition = definitions.find(definition => definition.name === name)
    expect(definition, line).toBeDefined()
    for (const [, label = '', value = ''] of pairs.matchAll(/(\w+)="([^"]*)"/g)) {
      if (label === 'le') continue
      const values = definition!.labels?.[label]
      if (Array.isArray(values)) expect(values, line).toContain(value)
      else expect(value, line).toMatch(CONFIGURED[label]!)
    }
  }
  for (const [series, value] of [
    ['elemta_threats_total{type="test"}', 2],
    ['elemta_messages_received_total', 3],
    ['elemta_disk_size_bytes', expect.any(Number)],
  ] as const) {
    expect(await gateway.metric(series), series).toEqual(value)
  }
  const [free, size] = await Promise.all(['free', 'size'].map(of => gateway.metric(`elemta_disk_${of}_bytes`)))
  expect(free).toBeGreaterThan(0)
  expect(size).toBeGreaterThan(free!)
  expect(text).toMatch(/^elemta_build_info\{version="\d+\.\d+\.\d+",home="embedded"\} 1$/m)
})

test('/metrics/clamav is there where clamd is asked, and nowhere else', async () => {
  const gateway = await busyGateway()
  const text = await (await fetch(url(gateway, '/metrics/clamav'))).text()
  expect(text).toMatch(/^clamav_up 1$/m)
  expect(text).toMatch(/^clamav_threads\{state="max"\} [1-9]/m)
  await using other = await startGateway()
  expect((await fetch(url(other, '/metrics/clamav'))).status).toBe(404)
})

test('a real Prometheus reads it, and its exemplars lead to messages that `elemta trace` knows', async () => {
  const gateway = await busyGateway()
  const targets = (path: string) => ({
    job_name: path === '/metrics' ? 'elemta' : 'clamav',
    metrics_path: path,
    static_configs: [{ targets: [`127.0.0.1:${gateway.opsPort}`] }],
  })
  const configuration = {
    global: { scrape_interval: '1s' },
    scrape_configs: [targets('/metrics'), targets('/metrics/clamav')],
  }
  const prometheus = await startPrivatePrometheus(
    { 'prometheus.yml': JSON.stringify(configuration) },
    { flags: ['--enable-feature=exemplar-storage'] },
  )
  onTestFinished(() => prometheus.stop())
  const up = async () => (await prometheus.query('up == 1')).map(({ labels }) => labels.job).sort()
  await expect.poll(up, { timeout: 15_000 }).toEqual(['clamav', 'elemta'])

  for (const latency of LATENCIES) {
    const name = `elemta_${latency}_seconds`
    const now = Date.now() / 1000
    const query = new URLSearchParams({ query: `${name}_bucket`, start: `${now - 300}`, end: `${now + 60}` })
    const answer = await (await fetch(`${prometheus.url}/api/v1/query_exemplars?${query}`)).json()
    const { data } = answer as { data: { exemplars: { labels: { queue_id: string } }[] }[] }
    const found = data.flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels.queue_id))
    expect(found.length, name).toBeGreaterThan(0)
    for (const queueId of found) expect(gateway.queueIds, name).toContain(queueId)
    expect((await gateway.elemta('trace', found[0]!)).stdout).toContain(found[0])
  }
  expect(await prometheus.query('sum(elemta_messages_received_total{job="elemta"})')).toMatchObject([{ value: 3 }])
})
