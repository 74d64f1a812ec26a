// What is worth keeping for years: few series, one value for five minutes and one for an hour, in place of thousands
// every thirty seconds. Amounts are counted as increases, so that they can be summed over any time; levels as highest
// and mean. A label `resolution` tells the two apart. Everything is read from raw series, never from one another.
import { stringify } from 'yaml'

/** The level in the names of these series: only they are written to long-term storage. */
export const LONG_TERM = 'longterm'

export const RESOLUTIONS = ['5m', '1h'] as const
export type Resolution = (typeof RESOLUTIONS)[number]

const increaseOf =
  (metric: string, by = '') =>
  (window: string) =>
    `sum${by && ` by (${by})`} (increase(${metric}[${window}]))`
const highest =
  (metric: string, by = '') =>
  (window: string) =>
    `max${by && ` by (${by})`} (max_over_time(${metric}[${window}]))`
const lowest = (metric: string) => (window: string) => `min by (instance) (min_over_time(${metric}[${window}]))`
const mean =
  (metric: string, by = '') =>
  (window: string) =>
    `sum${by && ` by (${by})`} (avg_over_time(${metric}[${window}]))`
const quantile = (metric: string, share: number) => (window: string) =>
  `histogram_quantile(${share}, sum by (le) (increase(${metric}_bucket[${window}])))`

/** Name without its level, and the expression over a window. */
const SERIES: Readonly<Record<string, (window: string) => string>> = {
  'connections:increase': increaseOf('elemta_connections_total'),
  'connections_active:max': highest('elemta_connections_active'),
  'messages_received:increase': increaseOf('elemta_messages_received_total'),
  'messages_delivered:increase': increaseOf('elemta_messages_delivered_total'),
  'messages_failed:increase': increaseOf('elemta_messages_failed_total'),
  'messages_rejected:increase': increaseOf('elemta_messages_rejected_total'),
  'messages_tempfailed:increase': increaseOf('elemta_messages_tempfailed_total', 'reason'),
  'unscanned_messages:increase': increaseOf('elemta_unscanned_messages_total'),
  'verdicts:increase': increaseOf('elemta_verdicts_total', 'decision'),
  'threats:increase': increaseOf('elemta_threats_total', 'type'),
  'clamav_scans:increase': increaseOf('elemta_clamav_scans_total'),
  'clamav_virus_detected:increase': increaseOf('elemta_clamav_virus_detected_total'),
  'rspamd_scans:increase': increaseOf('elemta_rspamd_scans_total'),
  'rspamd_spam:increase': increaseOf('elemta_rspamd_spam_total'),
  'greylisting_deferred:increase': increaseOf('elemta_greylisting_deferred_total'),
  'greylisting_passed:increase': increaseOf('elemta_greylisting_passed_total'),
  'auth_attempts:increase': increaseOf('elemta_auth_attempts_total'),
  'auth_failures:increase': increaseOf('elemta_auth_failures_total'),
  'delivery_attempts:increase': increaseOf('elemta_delivery_attempts_total', 'route'),
  'delivery_failures:increase': increaseOf('elemta_delivery_failures_total', 'route'),
  'queue_size:max': highest('elemta_queue_size', 'queue_type'),
  'queue_size:mean': mean('elemta_queue_size', 'queue_type'),
  'queue_oldest_age_seconds:max': highest('elemta_queue_oldest_age_seconds', 'queue_type'),
  'accept_duration_seconds:p95': quantile('elemta_accept_duration_seconds', 0.95),
  'security_scan_latency_seconds:p95': quantile('elemta_security_scan_latency_seconds', 0.95),
  'delivery_first_attempt_delay_seconds:p50': quantile('elemta_delivery_first_attempt_delay_seconds', 0.5),
  'delivery_first_attempt_delay_seconds:p95': quantile('elemta_delivery_first_attempt_delay_seconds', 0.95),
  'ledger_imbalance:max': window => `max (max_over_time((abs(sum(elemta_ledger_imbalance)))[${window}:1m]))`,
  'disk_free_bytes:min': lowest('elemta_disk_free_bytes'),
  'up:mean': window => `avg by (job) (avg_over_time(up[${window}]))`,
}

/** The rules of one resolution. */
export function downsamplingRules(resolution: Resolution) {
  return Object.entries(SERIES).map(([name, expression]) => ({
    record: `${LONG_TERM}:elemta_${name}`.replace('elemta_up', 'up'),
    expr: expression(resolution),
    labels: { resolution },
  }))
}

const HEAD = '# Written by `npm run monitoring` from monitoring/downsampling.ts: change that.\n'

/** The rule file, by its path below the folder `monitoring`. */
export function renderDownsampling(): Map<string, string> {
  const groups = RESOLUTIONS.map(resolution => ({
    name: `elemta-longterm-${resolution}`,
    interval: resolution,
    rules: downsamplingRules(resolution),
  }))
  return new Map([['prometheus/rules/downsampling.yml', HEAD + stringify({ groups }, { lineWidth: 0 })]])
}
