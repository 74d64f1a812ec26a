// The few forms of PromQL that the rules are made of. Rates are summed over all instances after they are taken, so a
// restart of one is no jump; a share of nothing has no value.
import type { AlertRule, RecordingRule } from './rule.ts'

/** `sum by (route) (rate(metric[5m]))` */
export const rate = (metric: string, window: string, by = '') => `sum${byLabel(by)}(rate(${metric}[${window}]))`

/** Events in a window: extrapolated by Prometheus to its ends, so seldom a whole number. */
export const increase = (metric: string, window: string, by = '') => `sum${byLabel(by)}(increase(${metric}[${window}]))`

/** No value, instead of 0/0, while there is no whole. */
export const share = (part: string, whole: string) => `${part} / (${whole} > 0)`

/** The mean of a histogram's observations. */
export const mean = (histogram: string, window: string) =>
  share(rate(`${histogram}_sum`, window), rate(`${histogram}_count`, window))

/** A percentile of a histogram of what is never negative: the comparison drops the NaN of no observations. */
export const quantile = (q: number, histogram: string, window: string, by = '') =>
  `histogram_quantile(${q}, ${rate(`${histogram}_bucket`, window, by === '' ? 'le' : `${by}, le`)}) >= 0`

export const record = (name: RecordingRule['name'], expr: string): RecordingRule => ({ kind: 'record', name, expr })

export const alert = (rule: Omit<AlertRule, 'kind'>): AlertRule => ({ kind: 'alert', ...rule })

/** `30%` */
export const percent = (ratio: number) => `${Number((ratio * 100).toPrecision(6))}%`

const byLabel = (by: string) => (by === '' ? '' : ` by (${by}) `)
