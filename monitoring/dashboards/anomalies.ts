// What is unusual for this hour: the last hour against the same hour of the last seven days. Panels of their own
// baseline say nothing before a few days are known; the level itself is there at once.
import type { Seasonal } from '../rules/records.ts'
import { over } from './limits.ts'
import { timeseries } from './panel.ts'
import { type Query, recorded } from './query.ts'

export const mailVolume = (width: number) =>
  timeseries({
    title: 'Mail volume against the usual',
    description:
      'Messages accepted in the last hour, and what this hour usually brings (mean of 7 days, three deviations around it). The usual appears after some days.',
    unit: 'short',
    width,
    alerts: ['MailVolumeAnomaly'],
    queries: againstUsual('messages_received'),
  })

export const spamVolume = (width: number) =>
  timeseries({
    title: 'Spam against the usual',
    description: 'Spam of the last hour, and what this hour usually brings. The usual appears after some days.',
    unit: 'short',
    width,
    alerts: ['SpamRateAnomaly'],
    queries: againstUsual('rspamd_spam'),
  })

export const anomalies = (width: number) =>
  timeseries({
    title: 'Anomalies: deviations from the usual',
    description:
      'How many standard deviations the last hour is from its mean at this hour: mail, spam, viruses, failed logins, deferrals. Within 3 is usual. Empty until enough days are known.',
    unit: 'short',
    width,
    noValue: 'Not enough days known',
    steps: over({ warning: 'anomaly_deviations' }),
    alerts: ['MailVolumeAnomaly', 'SpamRateAnomaly'],
    queries: [
      { expr: recorded('elemta:messages_received:zscore7d'), legend: 'mail' },
      { expr: recorded('elemta:rspamd_spam:zscore7d'), legend: 'spam' },
      { expr: recorded('elemta:virus_detected:zscore7d'), legend: 'viruses' },
      { expr: recorded('elemta:auth_failures:zscore7d'), legend: 'failed logins' },
      { expr: recorded('elemta:deferrals:zscore7d'), legend: 'deferrals' },
    ],
  })

function againstUsual(what: Seasonal): Query[] {
  const mean = recorded(`elemta:${what}:mean7d`)
  const deviation = recorded(`elemta:${what}:stddev7d`)
  return [
    { expr: recorded(`elemta:${what}:level1h`), legend: 'last hour' },
    { expr: mean, legend: 'usual' },
    { expr: `${mean} + 3 * ${deviation}`, legend: 'usual, high' },
    { expr: `clamp_min(${mean} - 3 * ${deviation}, 0)`, legend: 'usual, low' },
  ]
}
