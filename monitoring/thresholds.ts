// When alerts fire: every threshold, window, wait and minimum volume, with its default. A site changes them without
// touching code in a file such as monitoring/thresholds.yaml, which names only what differs; an unknown key is an
// error with the nearest valid one. `timing.scale` shortens all windows and waits alike, for drills.
import { z } from 'zod'
import { duration } from '../src/platform/config-fields.ts'
import { loadSettingsFile, parseSettingsText } from './settings-file.ts'

const count = (value: number) => z.int().min(0).prefault(value)
const ratio = (value: number) => z.number().min(0).max(1).prefault(value)
const factor = (value: number) => z.number().positive().prefault(value)
const time = (value: string) => duration().prefault(value)

const thresholds = z.strictObject({
  down_for: time('1m').describe('ElemtaDown'),
  absent_for: time('5m').describe('MetricsAbsent, ExporterDown'),
  scanner_down_for: time('2m').describe('ScannerDown'),
  restarts: count(3).describe('RestartLoop: more than these within restart_window'),
  restart_window: time('30m'),
  canary_age: time('5m').describe('CanaryMissing: a canary goes out every minute'),
  canary_window: time('10m').describe('CanaryWrong: a wrong canary is told of for this long'),
  reload_window: time('30m').describe('ReloadFailed: a failed reload is told of for this long'),

  active_connections: count(100).describe('HighActiveConnections'),
  connections_for: time('5m'),
  queue_size: count(1000).describe('QueueSizeGrowing: more jobs than these, and growing'),
  queue_growth_for: time('10m'),
  incoming_age_warning: time('10m').describe('OldestMessageTooOld: not scanned, or not tried, for so long'),
  incoming_age_critical: time('1h'),
  deferred_age_warning: time('8h').describe('OldestMessageTooOld: twice the age at which senders hear of a delay'),
  back_pressure_for: time('5m').describe('BackPressure'),

  delivery_failure_ratio: ratio(0.2).describe('HighDeliveryFailureRate'),
  delivery_minimum: count(20).describe('Attempts in 15 minutes, without which a share says nothing'),
  delivery_for: time('15m'),
  destination_down_for: time('10m').describe('DestinationDown'),
  dead_letters: count(0).describe('DeadLetters: more than these'),
  dead_letters_for: time('5m'),
  imbalance_for: time('15m').describe('LedgerImbalance'),

  disk_free_warning: ratio(0.1).describe('DiskSpaceLow: less free than this share'),
  disk_free_critical: ratio(0.05),
  disk_trend_free: ratio(0.4).describe('DiskSpaceLow: the trend is heeded only below this free share'),
  disk_trend_window: time('6h').describe('The trend of so long ...'),
  disk_trend_ahead: time('24h').describe('... fills the disk within so long'),
  disk_for: time('10m'),
  certificate_warning: time('21d').describe('CertificateExpiring'),
  certificate_critical: time('7d'),
  certificate_for: time('1h'),
  // 5,000, as older rules had it, is an afternoon of a small site: every new sender of spam is a triplet for hours, a
  // message to fifty recipients makes fifty. 100,000 is where a person should ask why, not where anything breaks.
  greylist_entries: count(100_000).describe('LargeGreylistingDatabase'),
  greylist_for: time('30m'),

  auth_failure_ratio: ratio(0.3).describe('HighAuthFailureRate'),
  auth_minimum: count(20).describe('Login attempts in 15 minutes'),
  auth_for: time('5m'),
  virus_ratio: ratio(0.1).describe('HighVirusDetectionRate'),
  virus_minimum: count(50).describe('ClamAV scans in 15 minutes'),
  virus_for: time('5m'),
  spam_ratio: ratio(0.3).describe('RspamdHighSpamRate'),
  spam_minimum: count(50).describe('Scores in 15 minutes'),
  spam_for: time('5m'),
  database_age_warning: time('24h').describe('ClamAVDatabaseOutdated'),
  database_age_critical: time('72h'),
  database_for: time('1h'),
  update_age: time('36h').describe('SignatureUpdateFailing: the last successful update is older'),
  scan_latency_mean: time('5s').describe('SecurityScanLatencyHigh'),
  scan_latency_p95: time('15s').describe('SecurityScanLatencyHigh, of the slowest twentieth'),
  scan_minimum: count(10).describe('Scans in 5 minutes'),
  scan_latency_for: time('5m'),
  unscanned_messages: count(0).describe('UnscannedMail: more than these within unscanned_window'),
  unscanned_window: time('15m'),

  slo_accept: ratio(0.999).describe('Of the messages offered, not refused through our own fault'),
  slo_timeliness: ratio(0.99).describe('Of the recipients, tried within a minute of acceptance'),
  slo_scan_coverage: ratio(0.9999).describe('Of the messages passed on, seen by every scanner'),
  slo_no_loss: ratio(0.995).describe('Of the time, the ledger balances'),
  slo_minimum: count(50).describe('Events in the long window, without which no budget burns'),
  slo_minimum_errors: count(3).describe('Bad events in the long window: one alone is nobody’s night'),

  anomaly_deviations: factor(3).describe('MailVolumeAnomaly, SpamRateAnomaly'),
  anomaly_spread: ratio(0.1).describe('The least standard deviation that is believed, as a share of the mean'),
  anomaly_days: z.int().min(2).max(7).prefault(5).describe('Days of the last 7 that must be known'),
  anomaly_minimum: count(100).describe('Messages in an hour, now or usually'),
  anomaly_for: time('30m'),
})

export const settingsSchema = z.strictObject({
  thresholds: thresholds.prefault({}),
  timing: z
    .strictObject({
      evaluation_interval: time('30s').describe('How often rules are evaluated and targets scraped'),
      scale: z.number().positive().max(1).prefault(1).describe('Shortens every window and wait: 0.01 in a drill'),
    })
    .prefault({}),
  links: z
    .strictObject({
      runbooks: z.string().prefault('monitoring/runbooks').describe('Runbooks are at <this>/<AlertName>.md'),
      grafana: z.string().prefault('http://localhost:3000').describe('Dashboards are at <this>/d/<uid>'),
    })
    .prefault({}),
})

/** Durations in milliseconds, as written: not yet scaled. */
export type Settings = Readonly<z.infer<typeof settingsSchema>>
export type ThresholdName = keyof Settings['thresholds']

/** The shipped settings. */
export const DEFAULT_SETTINGS: Settings = settingsSchema.parse({})

/** The settings of a site's file; throws ConfigError with every problem and its place. */
export function loadSettings(file: string): Settings {
  return loadSettingsFile(settingsSchema, file)
}

/** The same for text; `file` is what problems call it. */
export function parseSettings(text: string, file: string): Settings {
  return parseSettingsText(settingsSchema, text, file)
}
