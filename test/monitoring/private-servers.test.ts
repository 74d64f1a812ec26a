// The real Prometheus and Alertmanager as drills and tests start them: from files, on ports of their own, reloadable.
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Alertmanager } from '../../local/drill/alertmanager.ts'
import type { Prometheus } from '../../local/drill/prometheus.ts'
import { startPrivateAlertmanager } from './start-alertmanager.ts'
import { startPrivatePrometheus } from './start-prometheus.ts'

const ROUTE = 'route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n'
const rules = (value: number) => `groups:
  - name: sample
    interval: 1s
    rules:
      - { record: sample, expr: vector(${value}) }
      - { alert: Always, expr: vector(${value}), labels: { severity: info }, annotations: { summary: 'is {{ $value }}' } }
`
let alertmanager: Alertmanager
let prometheus: Prometheus

beforeAll(async () => {
  alertmanager = await startPrivateAlertmanager({ 'alertmanager.yml': ROUTE })
  prometheus = await startPrivatePrometheus({
    'prometheus.yml': `global: { evaluation_interval: 1s }
rule_files: [rules/*.yml]
alerting: { alertmanagers: [{ static_configs: [{ targets: ['127.0.0.1:${alertmanager.port}'] }] }] }
`,
    'rules/sample.yml': rules(1),
  })
})

afterAll(async () => {
  await Promise.all([prometheus?.stop(), alertmanager?.stop()])
})

test('what Prometheus evaluates can be asked, and its alerts reach Alertmanager', async () => {
  await expect.poll(() => prometheus.query('sample'), { timeout: 10_000 }).toMatchObject([{ value: 1 }])
  await expect.poll(() => prometheus.alerts()).toMatchObject([{ labels: { alertname: 'Always' }, state: 'firing' }])
  await expect
    .poll(() => alertmanager.alerts(), { timeout: 15_000 })
    .toMatchObject([
      { labels: { alertname: 'Always' }, annotations: { summary: 'is 1' }, receivers: [{ name: 'nobody' }] },
    ])
})

test('alerts can be handed to Alertmanager directly', async () => {
  await alertmanager.post([{ labels: { alertname: 'Posted', severity: 'critical' } }])
  const alerts = await alertmanager.alerts()
  expect(alerts.map(({ labels }) => labels.alertname)).toContain('Posted')
})

test('changed files are read at a reload; wrong ones are refused with the reason', async () => {
  await prometheus.reload({ 'rules/sample.yml': rules(2) })
  await expect.poll(() => prometheus.query('sample'), { timeout: 10_000 }).toMatchObject([{ value: 2 }])
  await expect(prometheus.reload({ 'rules/sample.yml': 'groups: [{ name: broken, rules: [{}] }]' })).rejects.toThrow(
    /prometheus refused its files/,
  )
  await expect(alertmanager.reload({ 'alertmanager.yml': 'route: {}' })).rejects.toThrow(/alertmanager refused/)
})

test('a wrong query is an error with the words of Prometheus', async () => {
  await expect(prometheus.query('sum(')).rejects.toThrow(/parse error/)
})

test('a server that does not start says why', async () => {
  await expect(startPrivatePrometheus({ 'prometheus.yml': 'no_such_key: 1' })).rejects.toThrow(/no_such_key/)
})
