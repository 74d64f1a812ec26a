// A scrape target on which every metric there is moves: Elemta's catalogue, the ClamAV exporter's, and a few lines as
// rspamd and Alertmanager have them. Counters and histograms grow with each scrape, so that every rate has a value.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Counter, Gauge, Histogram } from 'prom-client'
import { CATALOGUE } from '../../src/platform/catalogue/catalogue.ts'
import { clamd } from '../../src/platform/catalogue/clamd.ts'
import type { Definition, Group, LabelValues } from '../../src/platform/catalogue/definition.ts'
import { createMetrics, type MetricsOf, metricsOf } from '../../src/platform/metrics.ts'

/** Values of labels whose values the configuration gives. */
const GIVEN: Readonly<Record<string, readonly string[]>> = {
  plugin: ['greylist', 'clamav', 'rspamd'],
  outcome: ['pass', 'defer', 'error'],
  route: ['example.com', 'default'],
  certificate: ['mx.example.com'],
  version: ['0.1.0'],
  home: ['embedded'],
  engine: ['1.4.3'],
}

const RSPAMD = (scrape: number) =>
  ['reject', 'soft reject', 'rewrite subject', 'add header', 'greylist', 'no action']
    .map((type, index) => `rspamd_actions_total{type="${type}"} ${scrape * (index + 1)}`)
    .concat(`rspamd_scanned_total ${scrape * 21}`, `rspamd_spam_total ${scrape * 6}`, `rspamd_ham_total ${scrape * 15}`)
    .map(line => `${line}\n`)
    .join('')

export async function startScrapeTarget(): Promise<{ port: number; close(): Promise<void> }> {
  const metrics = createMetrics({ process: true })
  const exporter = metricsOf(clamd)
  let scrapes = 0
  const server = createServer((request, response) => {
    const answer = async () => {
      switch (request.url) {
        case '/metrics':
          exercise(metrics, CATALOGUE)
          return metrics.registry.metrics()
        case '/metrics/clamav':
          exercise(exporter, clamd)
          return exporter.registry.metrics()
        case '/rspamd':
          return RSPAMD(++scrapes)
        default:
          return 'other_up 1\n'
      }
    }
    answer().then(
      text => response.setHeader('content-type', 'text/plain; version=0.0.4').end(text),
      () => response.destroy(),
    )
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.closeAllConnections()
      metrics.registry.clear()
      return new Promise(resolve => server.close(() => resolve()))
    },
  }
}

/** Moves every series of a group once. */
function exercise<G extends Group>({ registry }: MetricsOf<G>, group: G): void {
  for (const definition of Object.values(group) as Definition[]) {
    const metric = registry.getSingleMetric(definition.name)
    for (const labels of series(Object.entries(definition.labels ?? {}))) {
      switch (definition.type) {
        case 'counter':
          ;(metric as Counter).inc(labels, 1)
          break
        case 'gauge':
          ;(metric as Gauge).set(labels, sample(definition.name))
          break
        case 'histogram':
          ;(metric as Histogram).observe(labels, definition.buckets[3]!)
          break
      }
    }
  }
}

/** A plausible value: times are near now, an hour old or, where something ends, months ahead. */
function sample(name: string): number {
  const now = Date.now() / 1000
  if (name.includes('expiry')) return now + 90 * 86_400
  if (name.includes('timestamp')) return now - 3600
  return name.endsWith('size_bytes') ? 2 ** 40 : 1
}

function series(labels: readonly (readonly [string, LabelValues])[]): Record<string, string>[] {
  return labels.reduce<Record<string, string>[]>(
    (all, [label, values]) => {
      const known = Array.isArray(values) ? (values as readonly string[]) : GIVEN[label]
      if (known === undefined) throw new Error(`no values of the label ${label} are given`)
      return all.flatMap(one => known.map(value => ({ ...one, [label]: value })))
    },
    [{}],
  )
}
