// What is in the mail, and how well it is looked at: scans, signatures, viruses, spam, logins.
import type { Context } from './context.ts'
import { alert, increase, percent } from './promql.ts'
import type { AlertRule } from './rule.ts'

export function securityAlerts({ thresholds: t, timing }: Context): AlertRule[] {
  const { window, wait, volume } = timing
  const scans = `${increase('elemta_security_scan_latency_seconds_count', window('5m'))} >= ${volume(t.scan_minimum)}`
  const spamOrHam = ['spam', 'ham'].map(kind => increase(`elemta_rspamd_${kind}_total`, window('15m'))).join(' + ')
  const slow = {
    name: 'SecurityScanLatencyHigh',
    for: wait(t.scan_latency_for),
    severity: 'warning',
    team: 'security',
    dashboard: 'elemta-security',
  } as const
  const outdated = {
    name: 'ClamAVDatabaseOutdated',
    for: wait(t.database_for),
    team: 'security',
    dashboard: 'elemta-security',
  } as const
  const old = {
    ...outdated,
    summary: 'ClamAV’s signatures are old',
    description: 'The signatures in use were built {{ $value | humanizeDuration }} ago: newer malware is not found.',
  } as const
  return [
    alert({
      name: 'UnscannedMail',
      expr: `${increase('elemta_unscanned_messages_total', window(t.unscanned_window))} > ${t.unscanned_messages}`,
      for: 0,
      severity: 'critical',
      team: 'security',
      slo: 'scan_coverage',
      summary: 'Mail was passed on that a scanner did not see',
      description: `About {{ printf "%.0f" $value }} messages within ${window(t.unscanned_window)} were passed on that a scanner did not see.`,
      dashboard: 'elemta-security',
      thresholds: ['unscanned_messages', 'unscanned_window'],
    }),
    alert({
      ...slow,
      labels: { statistic: 'mean' },
      expr: `elemta:security_scan_latency:mean5m > ${t.scan_latency_mean / 1000}\nand ${scans}`,
      summary: 'Scans are slow',
      description: `A message takes {{ $value | humanizeDuration }} to scan on average; ${t.scan_latency_mean / 1000}s are too long.`,
      thresholds: ['scan_latency_mean', 'scan_minimum', 'scan_latency_for'],
    }),
    alert({
      ...slow,
      labels: { statistic: 'p95' },
      expr: `elemta:security_scan_latency:p95_5m > ${t.scan_latency_p95 / 1000}\nand ${scans}`,
      summary: 'Some scans are very slow',
      description: `One message of twenty takes {{ $value | humanizeDuration }} or longer to scan; ${t.scan_latency_p95 / 1000}s are too long.`,
      thresholds: ['scan_latency_p95', 'scan_minimum', 'scan_latency_for'],
    }),
    alert({
      ...old,
      expr: `elemta:clamav_database:age_seconds > ${t.database_age_warning / 1000}`,
      severity: 'warning',
      thresholds: ['database_age_warning', 'database_for'],
    }),
    alert({
      ...old,
      expr: `elemta:clamav_database:age_seconds > ${t.database_age_critical / 1000}`,
      severity: 'critical',
      thresholds: ['database_age_critical', 'database_for'],
    }),
    alert({
      ...outdated,
      // 0 is no age: nobody knows it, or the built-in test set is in use, which finds EICAR and nothing else. Processes
      // that do not scan say 0, too.
      labels: { state: 'unknown' },
      expr: `max(elemta_scanner_configured{scanner="clamav"}) == 1
unless on () min(elemta_clamav_database_updated_timestamp and on (instance) elemta_scanner_configured{scanner="clamav"} == 1) > 0`,
      severity: 'warning',
      summary: 'Nobody knows how old ClamAV’s signatures are',
      description: 'ClamAV is to scan, but names no date of its signatures, or has only the built-in test signatures.',
      thresholds: ['database_for'],
    }),
    alert({
      name: 'SignatureUpdateFailing',
      expr: `time() - min(elemta_clamav_update_success_timestamp > 0) > ${t.update_age / 1000}`,
      for: wait(t.database_for),
      severity: 'warning',
      team: 'security',
      summary: 'ClamAV’s signatures cannot be updated',
      description: 'The last update that worked was {{ $value | humanizeDuration }} ago.',
      dashboard: 'elemta-security',
      thresholds: ['update_age', 'database_for'],
    }),
    alert({
      name: 'SignatureStorm',
      expr: 'max(elemta_clamav_signature_storm) == 1',
      for: wait('1m'),
      severity: 'critical',
      team: 'security',
      summary: 'A signature hits too often to be believed',
      description:
        'One of ClamAV’s signatures finds itself in far too much mail. What it finds is quarantined, not discarded.',
      dashboard: 'elemta-security',
      thresholds: [],
    }),
    alert({
      name: 'HighVirusDetectionRate',
      // Critical: so many viruses are an outbreak at a customer, or a signature gone wrong, and both need a person.
      expr: `elemta:virus_detected:ratio_rate15m > ${t.virus_ratio}
and ${increase('elemta_clamav_scans_total', window('15m'))} >= ${volume(t.virus_minimum)}`,
      for: wait(t.virus_for),
      severity: 'critical',
      team: 'security',
      summary: 'Much of the mail holds viruses',
      description: `ClamAV found a virus in {{ $value | humanizePercentage }} of the messages of 15 minutes, more than ${percent(t.virus_ratio)}.`,
      dashboard: 'elemta-security',
      thresholds: ['virus_ratio', 'virus_minimum', 'virus_for'],
    }),
    alert({
      name: 'RspamdHighSpamRate',
      // Information: on a public MX most mail may be spam for ever. SpamRateAnomaly knows what is usual there.
      expr: `elemta:rspamd_spam:ratio_rate15m > ${t.spam_ratio}\nand ${spamOrHam} >= ${volume(t.spam_minimum)}`,
      for: wait(t.spam_for),
      severity: 'info',
      team: 'security',
      summary: 'Much of the mail is spam',
      description: `{{ $value | humanizePercentage }} of the messages of 15 minutes are spam, more than ${percent(t.spam_ratio)}.`,
      dashboard: 'elemta-security',
      thresholds: ['spam_ratio', 'spam_minimum', 'spam_for'],
    }),
    alert({
      name: 'HighAuthFailureRate',
      // A warning: passwords are guessed day and night, and the limits on guessing hold without a person.
      expr: `elemta:auth_failures:ratio_rate15m > ${t.auth_failure_ratio}
and ${increase('elemta_auth_attempts_total', window('15m'))} >= ${volume(t.auth_minimum)}`,
      for: wait(t.auth_for),
      severity: 'warning',
      team: 'security',
      summary: 'Many logins fail',
      description: `{{ $value | humanizePercentage }} of the login attempts of 15 minutes failed, more than ${percent(t.auth_failure_ratio)}.`,
      dashboard: 'elemta-security',
      thresholds: ['auth_failure_ratio', 'auth_minimum', 'auth_for'],
    }),
  ]
}
