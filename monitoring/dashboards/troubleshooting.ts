// Where is my mail: from the door to the next hop, the places in which it can stand, and what holds it there.
import { anomalies } from './anomalies.ts'
import type { Row } from './dashboard.ts'
import { deliveryFailureRatio, destinationsDown, retries } from './delivery.ts'
import { crashes, failureReasons, tempfailed } from './errors.ts'
import { any } from './limits.ts'
import { bars, stat, table, timeseries } from './panel.ts'
import { inRange, maxOf, minOf, perMinute, quantiles, sumOf } from './query.ts'
import { firstAttemptDelay, queueAge, queueSize } from './queue.ts'
import { diskFree, eventLoopLag, memory } from './resources.ts'
import { scanLatency } from './scan-performance.ts'
import { canaryState, firing } from './slo.ts'
import { scannersUp, unscanned } from './virus.ts'

export const whereIsMyMail = (): Row => ({
  title: 'Where is my mail',
  panels: [byStage(), byQueue(), queueAge(8), queueSize(8), firing(8)],
})

export const atTheDoor = (): Row => ({
  title: 'At the door',
  panels: [pressure(), scannersUp(6), destinationsDown(6), scrapes(), tempfailed(12), backPressureCourse()],
})

export const beingScanned = (): Row => ({
  title: 'Being scanned',
  panels: [scanLatency(12), pluginTime(), unscanned(12), crashes(12)],
})

export const onTheWayOut = (): Row => ({
  title: 'On the way out',
  panels: [deliveryFailureRatio(8), failureReasons(8), retries(8), firstAttemptDelay(12), routesBelow()],
})

export const theMachine = (): Row => ({
  title: 'The machine',
  panels: [eventLoopLag(8), diskFree(8), memory(8), reloads(), restarts(), buildInfo()],
})

export const endToEnd = (): Row => ({
  title: 'End to end',
  panels: [canaryState(8), canaryResults(), canaryDuration(), anomalies(24)],
})

const byStage = () =>
  timeseries({
    title: 'Where is my mail: by stage',
    description:
      'Per minute: accepted, judged, delivered, failed. Where one line stays below the one before it, mail stands.',
    unit: 'short',
    width: 12,
    queries: [
      { expr: perMinute('elemta_recipients_accepted_total'), legend: '1 recipients accepted' },
      { expr: perMinute('elemta_verdicts_total'), legend: '2 messages judged' },
      { expr: perMinute('elemta_delivery_attempts_total', { route: true }), legend: '3 recipients tried' },
      { expr: perMinute('elemta_messages_delivered_total'), legend: '4 delivered' },
      { expr: perMinute('elemta_messages_failed_total'), legend: '5 failed' },
    ],
  })

const byQueue = () =>
  bars({
    title: 'Where is my mail: waiting now',
    description:
      'Jobs by where they stand, and recipients in quarantine. incoming: not scanned yet; deferred: next hop said later; held: an operator; failed: dead letters.',
    unit: 'locale',
    decimals: 0,
    width: 12,
    queries: [
      { expr: sumOf('elemta_queue_size', { by: 'queue_type' }), legend: '{{queue_type}}' },
      { expr: maxOf('elemta_quarantine_size'), legend: 'quarantine' },
    ],
  })

const pressure = () =>
  stat({
    title: 'New mail refused for now',
    description: 'On while back-pressure answers 451, by reason.',
    unit: 'bool_on_off',
    width: 6,
    steps: any('red'),
    alerts: ['BackPressure'],
    queries: [{ expr: maxOf('elemta_back_pressure', { by: 'reason' }), legend: '{{reason}}' }],
  })

const scrapes = () =>
  stat({
    title: 'Scrape targets',
    description: 'Targets that answer, by job. Off: what that job shows elsewhere is old or missing.',
    unit: 'short',
    width: 6,
    alerts: ['ElemtaDown', 'ExporterDown', 'MetricsAbsent'],
    queries: [{ expr: 'sum by (job) (up)', legend: '{{job}}' }],
  })

const backPressureCourse = () =>
  timeseries({
    title: 'Back-pressure over time',
    description: '1 while new mail was answered 451, by reason.',
    unit: 'short',
    width: 12,
    alerts: ['BackPressure'],
    queries: [{ expr: maxOf('elemta_back_pressure', { by: 'reason' }), legend: '{{reason}}' }],
  })

const pluginTime = () =>
  timeseries({
    title: 'Plugin time by plugin',
    description:
      'One hook or scan, p50 and p95. The session waits for hooks; a slow one slows every client. Empty without traffic.',
    unit: 's',
    width: 12,
    queries: quantiles('elemta_plugin_execution_time_seconds', { by: 'plugin' }),
  })

const routesBelow = () =>
  table({
    title: 'Failed attempts by route and kind',
    description: 'Recipients not delivered in an attempt within the time range.',
    unit: 'short',
    width: 12,
    columns: { route: 'Route', kind: 'Kind', Value: 'Recipients' },
    alerts: ['HighDeliveryFailureRate', 'DestinationDown'],
    queries: [
      {
        expr: inRange('elemta_delivery_failures_total', { by: 'route, kind', route: true }),
        legend: '{{route}} {{kind}}',
      },
    ],
  })

const reloads = () =>
  timeseries({
    title: 'Configuration reloads',
    description:
      'Reloads within the last hour by outcome. A failure: the old configuration still holds; elemta config check says why.',
    unit: 'short',
    width: 8,
    alerts: ['ReloadFailed'],
    queries: [
      {
        expr: 'sum by (outcome) (increase(elemta_config_reloads_total{instance=~"$instance"}[1h]))',
        legend: '{{outcome}}',
      },
    ],
  })

const restarts = () =>
  timeseries({
    title: 'Time since the start',
    description: 'Each fall to zero is a start. Several in an hour are a restart loop.',
    unit: 's',
    width: 8,
    alerts: ['RestartLoop'],
    queries: [
      {
        expr: `time() - ${minOf('process_start_time_seconds', { by: 'instance', where: 'job="elemta"' })}`,
        legend: '{{instance}}',
      },
    ],
  })

const buildInfo = () =>
  table({
    title: 'Versions',
    description: 'What runs where. Two versions for long: a deploy that stopped half-way.',
    unit: 'none',
    width: 8,
    columns: { instance: 'Instance', version: 'Version', home: 'Home', Value: 'Processes' },
    queries: [
      { expr: sumOf('elemta_build_info', { by: 'instance, version, home' }), legend: '{{instance}} {{version}}' },
    ],
  })

const canaryResults = () =>
  timeseries({
    title: 'Canary results',
    description:
      'Per minute by kind and result. wrong: the detector let EICAR or GTUBE through, or stopped clean mail. No data: the canary is off.',
    unit: 'short',
    width: 8,
    alerts: ['CanaryWrong', 'CanaryMissing'],
    queries: [
      { expr: perMinute('elemta_canary_results_total', { by: 'kind, result' }), legend: '{{kind}} {{result}}' },
    ],
  })

const canaryDuration = () =>
  timeseries({
    title: 'Canary end-to-end latency',
    description: 'From sending to the outcome, whole path, p50 and p95. No data: the canary is off.',
    unit: 's',
    width: 8,
    alerts: ['CanaryMissing'],
    queries: quantiles('elemta_canary_duration_seconds', { by: 'kind' }),
  })
