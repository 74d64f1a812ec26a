// How long scanning takes, by scanner.
import type { Row } from './dashboard.ts'
import { overSeconds } from './limits.ts'
import { heatmap, timeseries } from './panel.ts'
import { perSecond, type Query, quantiles, recorded } from './query.ts'

export const scanPerformance = (): Row => ({
  title: 'Security scan performance',
  panels: [scanLatency(6), byScanner(), latencyDistribution(), beforeQueue()],
})

export const scanLatency = (width: number) =>
  timeseries({
    title: 'Security scan latency',
    description:
      'All scanners of one message together: mean and 95th percentile of 5 minutes. Below a second is good. Empty without scans.',
    unit: 's',
    width,
    steps: overSeconds({ warning: ['scan_latency_mean', 'scan_latency_p95'] }),
    alerts: ['SecurityScanLatencyHigh'],
    queries: [
      { expr: recorded('elemta:security_scan_latency:mean5m'), legend: 'mean' },
      { expr: recorded('elemta:security_scan_latency:p95_5m'), legend: 'p95' },
      ...named('all scanners', quantiles('elemta_security_scan_latency_seconds')),
    ],
  })

const byScanner = () =>
  timeseries({
    title: 'Scan duration p50 and p95 by scanner',
    description: 'One scan. ClamAV grows with size, Rspamd with slow DNS. Empty without scans.',
    unit: 's',
    width: 6,
    queries: [
      ...named('ClamAV', quantiles('elemta_clamav_scan_duration_seconds')),
      ...named('Rspamd', quantiles('elemta_rspamd_scan_duration_seconds')),
    ],
  })

const latencyDistribution = () =>
  heatmap({
    title: 'Scan latency distribution',
    description: 'All scanners together; the brighter, the more. A second band far up is a scanner that stalls.',
    unit: 's',
    width: 6,
    queries: [{ expr: perSecond('elemta_security_scan_latency_seconds_bucket', { by: 'le' }), legend: '{{le}}' }],
  })

const beforeQueue = () =>
  timeseries({
    title: 'Scans while the client waited',
    description:
      'Per second, by outcome; only with scan.wait. queued: no verdict in time, so the message was accepted and scanned later.',
    unit: 'ops',
    width: 6,
    queries: [{ expr: perSecond('elemta_before_queue_scans_total', { by: 'outcome' }), legend: '{{outcome}}' }],
  })

const named = (name: string, queries: readonly Query[]) =>
  queries.map(query => ({ ...query, legend: `${name} ${query.legend}` }))
