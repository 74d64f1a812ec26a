// What Amazon Managed Service for Prometheus watches for the unusual by itself (Random Cut Forest), beside the alerts by
// standard deviations, which go everywhere alike. Its scores are series of the workspace to look at; nobody is told of
// them. Queries are sums of few values: the service takes none without an aggregation around it.
import type { RecordName } from '../rules/records.ts'
import { timingOf } from '../rules/timing.ts'
import type { Settings } from '../thresholds.ts'
import { AWS_SETTINGS } from './settings.ts'

export type AnomalyDetector = Readonly<{
  alias: string
  query: string
  /** Seconds. */
  evaluationInterval: number
  /** Values that are nearer to what was expected than this share are no anomaly, in this direction. */
  ignore: Readonly<{ above?: number; below?: number }>
}>

const average = (name: RecordName) => `avg(${name})`

export function anomalyDetectors({ timing }: Pick<Settings, 'timing'> = AWS_SETTINGS): AnomalyDetector[] {
  const window = timingOf(timing).window('5m')
  const evaluationInterval = Math.max(60, timing.evaluation_interval / 1000)
  const detector = (name: string, query: string, ignore: AnomalyDetector['ignore']) => ({
    alias: `elemta-${name}`,
    query,
    evaluationInterval,
    ignore,
  })
  return [
    // Both ways: mail that stops is as telling as a flood.
    detector('messages-received', `sum(rate(elemta_messages_received_total[${window}]))`, { above: 0.2, below: 0.2 }),
    detector('messages-rejected', average('elemta:messages_rejected:ratio_rate5m'), { above: 0.2 }),
    detector('spam', average('elemta:rspamd_spam:ratio_rate15m'), { above: 0.2 }),
    detector('queue-age', 'max(elemta_queue_oldest_age_seconds{queue_type="incoming"})', { above: 0.2 }),
    detector('scan-latency', average('elemta:security_scan_latency:p95_5m'), { above: 0.2 }),
    detector('delivery-failures', average('elemta:delivery_failures:ratio_rate15m'), { above: 0.2 }),
  ]
}
