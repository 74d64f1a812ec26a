// What is unusual for the hour: the last hour against the same hour of the last seven days, as a number of standard
// deviations. Mail follows the clock, so yesterday at this time says more than an hour ago. Until anomaly_days of
// them are known there is no baseline, so no score, so no alert. The days differ (weekends), which widens the
// deviation: this finds what is plainly out of line, and it informs, it calls nobody.
import type { Context } from './context.ts'
import { alert, increase, rate, record, share } from './promql.ts'
import { AUTH_FAILURES } from './recording.ts'
import { SEASONAL, type Seasonal } from './records.ts'
import type { AlertRule, RecordingRule } from './rule.ts'

const DAYS = [1, 2, 3, 4, 5, 6, 7]

/** The least deviation, in the unit of the series: what a single event may change. */
const LEAST: Readonly<Record<Seasonal, number>> = {
  messages_received: 1,
  rspamd_spam: 0.01,
  virus_detected: 1,
  auth_failures: 1,
  deferrals: 1,
}

export function anomalyRecords({ thresholds, timing }: Context): RecordingRule[] {
  const hour = timing.window('1h')
  const spam = rate('elemta_rspamd_spam_total', hour)
  const levels: Readonly<Record<Seasonal, string>> = {
    messages_received: increase('elemta_messages_received_total', hour),
    rspamd_spam: share(spam, `(${spam} + ${rate('elemta_rspamd_ham_total', hour)})`),
    virus_detected: increase('elemta_clamav_virus_detected_total', hour),
    auth_failures: increase(AUTH_FAILURES, hour),
    deferrals: increase('elemta_delivery_failures_total{kind="deferred"}', hour),
  }
  return SEASONAL.flatMap(what => {
    const level = `elemta:${what}:level1h` as const
    const days = DAYS.map(
      day => `label_replace(${level} offset ${timing.offset(day * 86_400_000)}, "day", "${day}", "", "")`,
    ).join('\n  or ')
    const known = `count(\n  ${days}\n) >= ${thresholds.anomaly_days}`
    const mean = `elemta:${what}:mean7d` as const
    const spread = `clamp_min(elemta:${what}:stddev7d, ${thresholds.anomaly_spread} * scalar(${mean}))`
    return [
      record(level, levels[what]),
      record(mean, `avg(\n  ${days}\n)\nand ${known}`),
      record(`elemta:${what}:stddev7d`, `stddev(\n  ${days}\n)`),
      record(`elemta:${what}:zscore7d`, `(${level} - ${mean}) / clamp_min(${spread}, ${LEAST[what]})`),
    ]
  })
}

export function anomalyAlerts({ thresholds: t, timing }: Context): AlertRule[] {
  const enough = timing.volume(t.anomaly_minimum)
  const scored = `${increase('elemta_rspamd_spam_total', timing.window('1h'))} + ${increase('elemta_rspamd_ham_total', timing.window('1h'))}`
  return [
    alert({
      name: 'MailVolumeAnomaly',
      expr: `abs(elemta:messages_received:zscore7d) > ${t.anomaly_deviations}
and (elemta:messages_received:level1h >= ${enough} or elemta:messages_received:mean7d >= ${enough})`,
      for: timing.wait(t.anomaly_for),
      severity: 'info',
      team: 'mail',
      summary: 'The volume of mail is unusual for this hour',
      description:
        'The last hour is {{ $value | humanize }} standard deviations away from this hour of the last seven days.',
      dashboard: 'elemta-dashboard',
      thresholds: ['anomaly_deviations', 'anomaly_spread', 'anomaly_days', 'anomaly_minimum'],
    }),
    alert({
      name: 'SpamRateAnomaly',
      expr: `elemta:rspamd_spam:zscore7d > ${t.anomaly_deviations}
and ${scored} >= ${enough}`,
      for: timing.wait(t.anomaly_for),
      severity: 'info',
      team: 'security',
      summary: 'More of the mail is spam than usual at this hour',
      description:
        'The share of spam is {{ $value | humanize }} standard deviations above this hour of the last seven days.',
      dashboard: 'elemta-security',
      thresholds: ['anomaly_deviations', 'anomaly_spread', 'anomaly_days', 'anomaly_minimum'],
    }),
  ]
}
