// The names of all recorded series, with what each means: dashboards, alerts and documents take them from here.
// Names are level:metric:operations. A ratio has no value while nothing happened: no 0/0, and no invented 0.
// The window in a name is the window of the shipped rules; a drill that shortens its windows keeps the names.

/** Burn-rate windows of every service level objective. */
export const SLO_WINDOWS = ['5m', '30m', '1h', '2h', '6h', '1d', '3d', '30d'] as const
export type SloWindow = (typeof SLO_WINDOWS)[number]

const SLO_ERRORS = {
  accept: 'messages that we could not take, through our own fault',
  timeliness: 'recipients whose first delivery attempt ended later than a minute after acceptance',
  scan_coverage: 'messages passed on that a scanner did not see',
  no_loss: 'time in which the ledger did not balance',
} as const

/** What has a seasonal baseline. */
export const SEASONAL = ['messages_received', 'rspamd_spam', 'virus_detected', 'auth_failures', 'deferrals'] as const
export type Seasonal = (typeof SEASONAL)[number]

const SINGLE = {
  'elemta:connections:rate5m': 'Connections a second',
  'elemta:connection_errors:ratio_rate5m': 'Share of connections that ended badly',
  'elemta:messages_received:rate5m': 'Messages accepted a second',
  'elemta:messages_rejected:ratio_rate5m': 'Share of transactions refused for good, of all that were decided',
  'elemta:messages_tempfailed:ratio_rate5m': 'Share of transactions refused for now, of all that were decided',
  'elemta:accept_duration:p95_5m': 'From the final dot to the 250, 95th percentile, seconds',
  'elemta:tls_connections:ratio_rate15m': 'Handshakes that succeeded, for each connection',
  'elemta:tls_handshake_failures:ratio_rate15m': 'Share of handshakes that failed',
  'elemta:auth_failures:ratio_rate15m': 'Share of login attempts that failed',
  'elemta:greylisting_passed:ratio_rate1h': 'Share of recipients that greylisting let through',
  'elemta:greylisting_deferred:ratio_rate1h': 'Share of recipients that greylisting deferred',
  'elemta:greylisting_never_returned:ratio_rate1d': 'Triplets removed that never came back, for each new one deferred',
  'elemta:greylisting_delay:p50_1h': 'From the first deferral to the pass, median, seconds',
  'elemta:greylisting_delay:p95_1h': 'From the first deferral to the pass, 95th percentile, seconds',

  'elemta:security_scan_latency:mean5m': 'All scanners of one message together, mean, seconds',
  'elemta:security_scan_latency:p95_5m': 'All scanners of one message together, 95th percentile, seconds',
  'elemta:clamav_scan_duration:p95_5m': 'One ClamAV scan, 95th percentile, seconds',
  'elemta:rspamd_scan_duration:p95_5m': 'One Rspamd scan, 95th percentile, seconds',
  'elemta:clamav_scan_errors:ratio_rate15m': 'Share of ClamAV scans without a result',
  'elemta:rspamd_scan_errors:ratio_rate15m': 'Share of Rspamd scans without a result',
  'elemta:virus_detected:ratio_rate15m': 'Share of ClamAV scans that found a virus',
  'elemta:rspamd_spam:ratio_rate15m': 'Share of scored messages that are spam',
  'elemta:rspamd_score:mean15m': 'Mean score',
  'elemta:verdicts:ratio_rate15m': 'Share of each decision among the verdicts, by decision',
  'elemta:threats:rate15m': 'Threats found a second, by type',
  'elemta:unscanned_messages:ratio_rate15m': 'Share of passed messages that a scanner did not see',
  'elemta:quarantine_released:ratio_rate1d':
    'Share of settled quarantined mail that a person released: false positives',
  'elemta:clamav_database:age_seconds': 'Age of the oldest signatures in use; absent while no age is known',
  'elemta:rspamd_server_scans:rate5m': 'Scans a second by Rspamd’s own count, whoever asked for them',
  'elemta:rspamd_server_spam:ratio_rate15m': 'Share of spam by Rspamd’s own count',
  'elemta:rspamd_server_actions:rate15m': 'Actions a second by Rspamd’s own count, by type',

  'elemta:queue_size:sum': 'Jobs that wait or are worked on: incoming, active and deferred',
  'elemta:queue_size:deriv15m': 'Growth of the queue, jobs a second',
  'elemta:delivery_failures:ratio_rate15m': 'Share of delivery attempts that failed, for now or for good',
  'elemta_route:delivery_failures:ratio_rate15m': 'The same, by route',
  'elemta:delivery_retries:ratio_rate15m': 'Share of delivery attempts that are retries',
  'elemta:delivery_duration:p95_5m': 'One delivery attempt, 95th percentile, seconds, by route',
  'elemta:delivery_first_attempt_delay:p95_5m': 'Acceptance to the end of the first attempt, 95th percentile, seconds',
  'elemta:processing_time:p95_5m': 'Acceptance to the last recipient’s end state, 95th percentile, seconds',
  'elemta:plugin_execution_time:p95_5m': 'One hook or scan, 95th percentile, seconds, by plugin',

  'elemta:disk_free:ratio': 'Free share of the fullest file system that holds a data directory',
  'elemta:certificate_left:seconds': 'Time until a certificate ends, by certificate',
  'elemta:ledger_unbalanced:bool': '1 while accepted recipients are unaccounted for, else 0',
} as const

type SloErrorName = `elemta:slo_${keyof typeof SLO_ERRORS}_errors:ratio_rate${SloWindow}`
type SloBudgetName = `elemta:slo_${keyof typeof SLO_ERRORS}_budget:remaining30d`
type SeasonalName = `elemta:${Seasonal}:${'level1h' | 'mean7d' | 'stddev7d' | 'zscore7d'}`

export type RecordName = keyof typeof SINGLE | SloErrorName | SloBudgetName | SeasonalName

const SEASONAL_LEVELS: Readonly<Record<Seasonal, string>> = {
  messages_received: 'Messages accepted in an hour',
  rspamd_spam: 'Share of scored messages that are spam',
  virus_detected: 'Scans of an hour that found a virus',
  auth_failures: 'Logins of an hour that failed',
  deferrals: 'Recipients of an hour that a next hop deferred',
}

const SEASONAL_MEANINGS = {
  level1h: 'the last hour',
  mean7d: 'at this hour of the last 7 days, mean',
  stddev7d: 'at this hour of the last 7 days, standard deviation',
  zscore7d: 'standard deviations of the last hour from the mean of this hour',
} as const

/** Every recorded series, in the order of the rules, and what it means. */
export const RECORDS = {
  ...SINGLE,
  ...Object.fromEntries(
    Object.entries(SLO_ERRORS).flatMap(([slo, errors]) => [
      ...SLO_WINDOWS.map(window => [`elemta:slo_${slo}_errors:ratio_rate${window}`, `Share of ${errors}, ${window}`]),
      [`elemta:slo_${slo}_budget:remaining30d`, `Share of the 30 days’ error budget that is left: ${errors}`],
    ]),
  ),
  ...Object.fromEntries(
    SEASONAL.flatMap(what =>
      Object.entries(SEASONAL_MEANINGS).map(([part, meaning]) => [
        `elemta:${what}:${part}`,
        `${SEASONAL_LEVELS[what]}, ${meaning}`,
      ]),
    ),
  ),
} as Readonly<Record<RecordName, string>>
