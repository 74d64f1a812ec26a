// What greylisting costs: room, delay for honest senders, time in the session.
import type { Row } from './dashboard.ts'
import { over } from './limits.ts'
import { heatmap, stat, timeseries } from './panel.ts'
import { maxOf, perMinute, perSecond, quantiles, recorded } from './query.ts'

export const database = (): Row => ({
  title: 'Database size',
  panels: [databaseSize(), cleanup()],
})

export const retryPatterns = (): Row => ({
  title: 'Retry patterns',
  panels: [typicalDelay(), longDelay(), delayDistribution(), retryDelay(), deferralReasons()],
})

export const impact = (): Row => ({
  title: 'Performance impact',
  panels: [pluginTime(), pluginOutcomes()],
})

const databaseSize = () =>
  timeseries({
    title: 'Greylisting database size',
    description:
      'Triplets remembered. It levels off once as many expire as arrive; growth without end means cleaning has stopped.',
    unit: 'short',
    width: 12,
    steps: over({ warning: 'greylist_entries' }),
    alerts: ['LargeGreylistingDatabase'],
    queries: [{ expr: maxOf('elemta_greylisting_active'), legend: 'triplets' }],
  })

const cleanup = () =>
  timeseries({
    title: 'Triplets removed',
    description:
      'Per minute, by reason: expired after use, or never returned. Both at zero for days: nothing is removed.',
    unit: 'short',
    width: 12,
    queries: [{ expr: perMinute('elemta_greylisting_cleanup_total', { by: 'reason' }), legend: '{{reason}}' }],
  })

const typicalDelay = () =>
  stat({
    title: 'Delay, median',
    description:
      'From the first deferral to the pass, last hour. A few minutes: senders come back at once. Empty when nobody came back.',
    unit: 's',
    width: 12,
    queries: [{ expr: recorded('elemta:greylisting_delay:p50_1h'), legend: 'p50' }],
  })

const longDelay = () =>
  stat({
    title: 'Delay, 95th percentile',
    description:
      'The slowest twentieth of the senders that came back, last hour. Hours here are large senders with many addresses: allow them.',
    unit: 's',
    width: 12,
    queries: [{ expr: recorded('elemta:greylisting_delay:p95_1h'), legend: 'p95' }],
  })

const delayDistribution = () =>
  heatmap({
    title: 'Retry patterns: delay distribution',
    description:
      'When senders come back after a deferral; the brighter, the more. Bands show the retry schedules of the large senders.',
    unit: 's',
    width: 8,
    queries: [{ expr: perSecond('elemta_greylisting_delay_seconds_bucket', { by: 'le' }), legend: '{{le}}' }],
  })

const retryDelay = () =>
  timeseries({
    title: 'Retry patterns: delay p50 and p95',
    description: 'The added delay over time. Empty while nobody comes back.',
    unit: 's',
    width: 8,
    queries: quantiles('elemta_greylisting_delay_seconds'),
  })

const deferralReasons = () =>
  timeseries({
    title: 'Retry patterns: new and too early',
    description:
      'Deferrals per minute. Many too early: senders that try every few seconds, most often not mail servers.',
    unit: 'short',
    width: 8,
    stacked: true,
    queries: [{ expr: perMinute('elemta_greylisting_deferred_total', { by: 'reason' }), legend: '{{reason}}' }],
  })

const pluginTime = () =>
  timeseries({
    title: 'Performance impact: time per recipient',
    description:
      'How long greylisting takes within the session. Below 10 ms is good; the session waits for it. Empty without traffic.',
    unit: 's',
    width: 12,
    queries: quantiles('elemta_plugin_execution_time_seconds', { where: 'plugin="greylist"' }),
  })

const pluginOutcomes = () =>
  timeseries({
    title: 'Performance impact: decisions per second',
    description: 'Executions of the plugin by outcome. Errors: the store failed, and mail was let through.',
    unit: 'ops',
    width: 12,
    queries: [
      {
        expr: perSecond('elemta_plugin_execution_total', { by: 'outcome', where: 'plugin="greylist"' }),
        legend: '{{outcome}}',
      },
    ],
  })
