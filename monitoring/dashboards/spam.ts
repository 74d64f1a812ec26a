// Rspamd: scores, actions, and how much of the mail is spam.
import { spamVolume } from './anomalies.ts'
import type { Row } from './dashboard.ts'
import { over } from './limits.ts'
import { bars, heatmap, stat, timeseries } from './panel.ts'
import { inRange, perMinute, perSecond, quantiles, recorded } from './query.ts'

export const spamFiltering = (): Row => ({
  title: 'Spam filtering (Rspamd)',
  panels: [spamRate(), meanScore(), actions(), spamAndHam(), scores(), scoreQuantiles(), scanErrors(), spamVolume(6)],
})

const spamRate = () =>
  stat({
    title: 'Spam rate',
    description:
      'Share of scored messages of the last 15 minutes that are spam. What is usual differs by site: watch for jumps. Empty without scans.',
    unit: 'percentunit',
    width: 4,
    height: 8,
    steps: over({ warning: 'spam_ratio' }),
    alerts: ['RspamdHighSpamRate'],
    queries: [{ expr: recorded('elemta:rspamd_spam:ratio_rate15m'), legend: 'spam' }],
  })

const meanScore = () =>
  stat({
    title: 'Mean score',
    description: 'Of the last 15 minutes. Ham is around or below 0, spam above 6. Empty without scans.',
    unit: 'none',
    decimals: 1,
    width: 4,
    height: 8,
    queries: [{ expr: recorded('elemta:rspamd_score:mean15m'), legend: 'score' }],
  })

const actions = () =>
  bars({
    title: 'Rspamd actions',
    description: 'What Rspamd proposed within the time range: reject, greylist, add header …',
    unit: 'locale',
    decimals: 0,
    width: 8,
    queries: [{ expr: inRange('elemta_rspamd_actions_total', { by: 'action' }), legend: '{{action}}' }],
  })

const spamAndHam = () =>
  timeseries({
    title: 'Spam and ham',
    description: 'Messages per minute scored as spam (add header and above) and below.',
    unit: 'short',
    width: 8,
    stacked: true,
    queries: [
      { expr: perMinute('elemta_rspamd_ham_total'), legend: 'ham' },
      { expr: perMinute('elemta_rspamd_spam_total'), legend: 'spam' },
    ],
  })

const scores = () =>
  heatmap({
    title: 'Rspamd score distribution',
    description:
      'Scores over time; the brighter, the more. Two separate bands are good; mail between them is undecided.',
    unit: 'none',
    width: 6,
    queries: [{ expr: perSecond('elemta_rspamd_score_bucket', { by: 'le' }), legend: '{{le}}' }],
  })

const scoreQuantiles = () =>
  timeseries({
    title: 'Rspamd scores p50 and p95',
    description: 'Half of the mail scores below p50. A p50 that climbs is a spam wave. Empty without scans.',
    unit: 'none',
    width: 6,
    queries: quantiles('elemta_rspamd_score'),
  })

const scanErrors = () =>
  timeseries({
    title: 'Rspamd scan errors',
    description: 'Scans per minute without a result, by kind. 0 is good.',
    unit: 'short',
    width: 6,
    alerts: ['ScannerDown'],
    queries: [{ expr: perMinute('elemta_rspamd_scan_errors_total', { by: 'failure' }), legend: '{{failure}}' }],
  })
