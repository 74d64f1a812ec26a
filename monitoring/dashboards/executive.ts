// For those who answer for mail without running it: is it safe, does it flow, how much is it.
import { mailVolume } from './anomalies.ts'
import type { Row } from './dashboard.ts'
import { bars, stat, timeseries } from './panel.ts'
import { inRange, recorded } from './query.ts'
import { alertsFiring, budgetLeft } from './slo.ts'
import { threatDistribution } from './threats.ts'

export const promises = (): Row => ({
  title: 'Promises kept',
  panels: [
    budgetLeft('accept', 5, 5),
    budgetLeft('timeliness', 5, 5),
    budgetLeft('scan_coverage', 5, 5),
    budgetLeft('no_loss', 5, 5),
    tall(alertsFiring(4)),
  ],
})

export const protection = (): Row => ({
  title: 'Protection',
  panels: [
    count(
      'Threats stopped',
      'Viruses and suspicious content found within the time range, spam and test messages not counted.',
      {
        metric: 'elemta_threats_total',
        where: 'type!~"spam|test"',
      },
    ),
    count('Spam recognised', 'Messages that Rspamd scored as spam within the time range.', {
      metric: 'elemta_rspamd_spam_total',
    }),
    count('Passed unscanned', 'Messages passed on that a scanner did not see. 0 is the only good number.', {
      metric: 'elemta_unscanned_messages_total',
    }),
    falsePositives(),
    threatDistribution(12),
    outcomes(),
  ],
})

export const volume = (): Row => ({
  title: 'Volume and speed',
  panels: [
    count('Mail accepted', 'Messages taken within the time range.', { metric: 'elemta_messages_received_total' }),
    count('Mail delivered', 'Recipients that a next hop has taken within the time range.', {
      metric: 'elemta_messages_delivered_total',
    }),
    count('Refused at the door', 'Transactions refused for good within the time range: spam runs, unknown users.', {
      metric: 'elemta_messages_rejected_total',
    }),
    typicalDelay(),
    mailVolume(12),
    deliverySpeed(),
  ],
})

function count(title: string, description: string, { metric, where }: { metric: string; where?: string }) {
  return stat({
    title,
    description,
    unit: 'locale',
    decimals: 0,
    width: 6,
    queries: [{ expr: inRange(metric, where === undefined ? {} : { where }), legend: title }],
  })
}

const tall =
  (panel: ReturnType<typeof stat>): ReturnType<typeof stat> =>
  settings => {
    const built = panel(settings)
    return { ...built, gridPos: { ...built.gridPos!, h: 5 } }
  }

const falsePositives = () =>
  stat({
    title: 'Released from quarantine',
    description:
      'Share of the settled mail of a day that a person let go: false positives. Low is good; empty when nothing was settled.',
    unit: 'percentunit',
    width: 6,
    queries: [{ expr: recorded('elemta:quarantine_released:ratio_rate1d'), legend: 'released' }],
  })

const outcomes = () =>
  bars({
    title: 'What became of the mail',
    description: 'Verdicts within the time range.',
    unit: 'locale',
    decimals: 0,
    width: 12,
    queries: [{ expr: inRange('elemta_verdicts_total', { by: 'decision' }), legend: '{{decision}}' }],
  })

const typicalDelay = () =>
  stat({
    title: 'Delay through the gateway, p95',
    description: 'From acceptance to the end of the first delivery attempt. Seconds are good. Empty without mail.',
    unit: 's',
    width: 6,
    queries: [{ expr: recorded('elemta:delivery_first_attempt_delay:p95_5m'), legend: 'p95' }],
  })

const deliverySpeed = () =>
  timeseries({
    title: 'Delay through the gateway',
    description: '95th percentile of the delay to the first attempt and to the end. Empty without mail.',
    unit: 's',
    width: 12,
    queries: [
      { expr: recorded('elemta:delivery_first_attempt_delay:p95_5m'), legend: 'first attempt' },
      { expr: recorded('elemta:processing_time:p95_5m'), legend: 'end' },
    ],
  })
