// What kinds of threat there are, and what was decided about them.
import type { Row } from './dashboard.ts'
import { over } from './limits.ts'
import { bars, stat, table, timeseries } from './panel.ts'
import { inRange, maxOf, perMinute, recorded } from './query.ts'
import { scannersConfigured, scannersUp, unscanned } from './virus.ts'

export const threatTypes = (): Row => ({
  title: 'Threat type distribution',
  panels: [threatDistribution(8), threatsOverTime(), verdicts()],
})

export const threatDistribution = (width: number) =>
  bars({
    title: 'Threat type distribution',
    description:
      'Threats found within the time range by type, from signature names and spam scores. test: EICAR and GTUBE, canaries among them.',
    unit: 'locale',
    decimals: 0,
    width,
    alerts: ['HighVirusDetectionRate'],
    queries: [{ expr: `sort_desc(${inRange('elemta_threats_total', { by: 'type' })})`, legend: '{{type}}' }],
  })

const threatsOverTime = () =>
  timeseries({
    title: 'Threats over time',
    description: 'Per minute by type. One type alone that rises is a campaign, or a bad signature.',
    unit: 'short',
    width: 8,
    stacked: true,
    queries: [{ expr: perMinute('elemta_threats_total', { by: 'type' }), legend: '{{type}}' }],
  })

const verdicts = () =>
  timeseries({
    title: 'Verdicts by decision',
    description:
      'Share of each decision, last 15 minutes. rescan and hold: a scanner gave no answer. Empty without mail.',
    unit: 'percentunit',
    width: 8,
    max: 1,
    stacked: true,
    queries: [{ expr: recorded('elemta:verdicts:ratio_rate15m'), legend: '{{decision}}' }],
  })

export const combined = (): Row => ({
  title: 'Combined security',
  panels: [
    scannersUp(8),
    scannersConfigured(8),
    quarantineStats(),
    unscanned(8),
    authentication(),
    authFailureRate(),
    tls(),
    rejections(),
    rateLimits(),
    quarantine(),
    rspamdServer(),
  ],
})

const quarantineStats = () =>
  stat({
    title: 'Quarantine: recipients and oldest',
    description: 'Recipients whose mail waits for a person, and the age of the oldest in days. 0 when empty.',
    unit: 'locale',
    decimals: 0,
    width: 8,
    queries: [
      { expr: maxOf('elemta_quarantine_size'), legend: 'recipients' },
      { expr: `${maxOf('elemta_quarantine_oldest_age_seconds')} / 86400`, legend: 'oldest, days' },
    ],
  })

const authentication = () =>
  timeseries({
    title: 'Authentication attempts and failures',
    description: 'Logins and failures by reason, per minute. Many wrong passwords from many places: somebody guesses.',
    unit: 'short',
    width: 8,
    alerts: ['HighAuthFailureRate'],
    queries: [
      { expr: perMinute('elemta_auth_attempts_total'), legend: 'attempts' },
      { expr: perMinute('elemta_auth_successes_total'), legend: 'logins' },
      { expr: perMinute('elemta_auth_failures_total', { by: 'reason' }), legend: '{{reason}}' },
    ],
  })

const authFailureRate = () =>
  timeseries({
    title: 'Authentication failure rate',
    description: 'Share of attempts of the last 15 minutes that failed. Empty without attempts.',
    unit: 'percentunit',
    width: 8,
    max: 1,
    steps: over({ warning: 'auth_failure_ratio' }),
    alerts: ['HighAuthFailureRate'],
    queries: [{ expr: recorded('elemta:auth_failures:ratio_rate15m'), legend: 'failed' }],
  })

const tls = () =>
  timeseries({
    title: 'TLS usage and handshake failures',
    description: 'Handshakes per connection, and the share that failed, last 15 minutes. Empty without connections.',
    unit: 'percentunit',
    width: 8,
    queries: [
      { expr: recorded('elemta:tls_connections:ratio_rate15m'), legend: 'with TLS' },
      { expr: recorded('elemta:tls_handshake_failures:ratio_rate15m'), legend: 'failed' },
    ],
  })

const rejections = () =>
  timeseries({
    title: 'Rejections by stage',
    description: 'Transactions refused for good, per minute. data: content, malware and spam over the reject score.',
    unit: 'short',
    width: 8,
    stacked: true,
    queries: [{ expr: perMinute('elemta_messages_rejected_total', { by: 'stage' }), legend: '{{stage}}' }],
  })

const rateLimits = () =>
  timeseries({
    title: 'Rate limits reached',
    description:
      'Deferred per minute because a rate was exceeded. user_…: an account that sends too much, perhaps a stolen one.',
    unit: 'short',
    width: 8,
    queries: [{ expr: perMinute('elemta_rate_limited_total', { by: 'rate' }), legend: '{{rate}}' }],
  })

const quarantine = () =>
  timeseries({
    title: 'Quarantine: released, discarded, expired',
    description:
      'Recipients per minute, and the share released among the settled of a day: releases are false positives.',
    unit: 'short',
    width: 12,
    queries: [
      { expr: perMinute('elemta_quarantine_released_total'), legend: 'released' },
      { expr: perMinute('elemta_quarantine_discarded_total'), legend: 'discarded' },
      { expr: perMinute('elemta_quarantine_expired_total'), legend: 'expired' },
      { expr: perMinute('elemta_quarantine_releases_refused_total'), legend: 'release refused' },
    ],
  })

const rspamdServer = () =>
  table({
    title: 'Rspamd by its own count',
    description: 'Actions a second that the Rspamd server counted, whoever asked. No data: Rspamd is not scraped.',
    unit: 'ops',
    width: 12,
    columns: { type: 'Action', Value: 'Per second' },
    alerts: ['ExporterDown'],
    queries: [{ expr: recorded('elemta:rspamd_server_actions:rate15m'), legend: '{{type}}' }],
  })
