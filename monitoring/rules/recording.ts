// The ratios, rates and percentiles that dashboards and alerts share, recorded once: sessions and greylisting here,
// scanners and delivery beside. What each name means stands in records.ts.
import { mean, quantile, rate, record, share } from './promql.ts'
import type { RecordingRule } from './rule.ts'
import type { Timing } from './timing.ts'

/** Logins that were no login; what was broken off in the middle was no attempt either. */
export const AUTH_FAILURES = 'elemta_auth_failures_total{reason!="aborted"}'

/** Connections, transactions, TLS, logins. */
export function sessionRecords({ window }: Timing): RecordingRule[] {
  const [short, long] = [window('5m'), window('15m')]
  const refused = rate('elemta_messages_rejected_total', short)
  const deferred = rate('elemta_messages_tempfailed_total', short)
  const decided = `(${rate('elemta_messages_received_total', short)} + ${refused} + ${deferred})`
  const handshakes = rate('elemta_tls_connections_total', long)
  const failedHandshakes = rate('elemta_tls_handshake_failures_total', long)
  return [
    record('elemta:connections:rate5m', rate('elemta_connections_total', short)),
    record(
      'elemta:connection_errors:ratio_rate5m',
      share(rate('elemta_connection_errors_total', short), rate('elemta_connections_total', short)),
    ),
    record('elemta:messages_received:rate5m', rate('elemta_messages_received_total', short)),
    record('elemta:messages_rejected:ratio_rate5m', share(refused, decided)),
    record('elemta:messages_tempfailed:ratio_rate5m', share(deferred, decided)),
    record('elemta:accept_duration:p95_5m', quantile(0.95, 'elemta_accept_duration_seconds', short)),
    record('elemta:tls_connections:ratio_rate15m', share(handshakes, rate('elemta_connections_total', long))),
    record(
      'elemta:tls_handshake_failures:ratio_rate15m',
      share(failedHandshakes, `(${handshakes} + ${failedHandshakes})`),
    ),
    record(
      'elemta:auth_failures:ratio_rate15m',
      share(rate(AUTH_FAILURES, long), rate('elemta_auth_attempts_total', long)),
    ),
  ]
}

export function greylistRecords({ window }: Timing): RecordingRule[] {
  const hour = window('1h')
  const asked = rate('elemta_greylisting_total', hour)
  const day = window('1d')
  return [
    record('elemta:greylisting_passed:ratio_rate1h', share(rate('elemta_greylisting_passed_total', hour), asked)),
    record('elemta:greylisting_deferred:ratio_rate1h', share(rate('elemta_greylisting_deferred_total', hour), asked)),
    record(
      'elemta:greylisting_never_returned:ratio_rate1d',
      share(
        rate('elemta_greylisting_cleanup_total{reason="never-returned"}', day),
        rate('elemta_greylisting_deferred_total{reason="new"}', day),
      ),
    ),
    record('elemta:greylisting_delay:p50_1h', quantile(0.5, 'elemta_greylisting_delay_seconds', hour)),
    record('elemta:greylisting_delay:p95_1h', quantile(0.95, 'elemta_greylisting_delay_seconds', hour)),
  ]
}

export function scanRecords({ window }: Timing): RecordingRule[] {
  const [short, long, day] = [window('5m'), window('15m'), window('1d')]
  const released = rate('elemta_quarantine_released_total', day)
  const settled = ['released', 'discarded', 'expired'].map(end => rate(`elemta_quarantine_${end}_total`, day))
  const spam = rate('elemta_rspamd_spam_total', long)
  const scored = `(${spam} + ${rate('elemta_rspamd_ham_total', long)})`
  return [
    record('elemta:security_scan_latency:mean5m', mean('elemta_security_scan_latency_seconds', short)),
    record('elemta:security_scan_latency:p95_5m', quantile(0.95, 'elemta_security_scan_latency_seconds', short)),
    record('elemta:clamav_scan_duration:p95_5m', quantile(0.95, 'elemta_clamav_scan_duration_seconds', short)),
    record('elemta:rspamd_scan_duration:p95_5m', quantile(0.95, 'elemta_rspamd_scan_duration_seconds', short)),
    record(
      'elemta:clamav_scan_errors:ratio_rate15m',
      share(rate('elemta_clamav_scan_errors_total', long), rate('elemta_clamav_scans_total', long)),
    ),
    record(
      'elemta:rspamd_scan_errors:ratio_rate15m',
      share(rate('elemta_rspamd_scan_errors_total', long), rate('elemta_rspamd_scans_total', long)),
    ),
    record(
      'elemta:virus_detected:ratio_rate15m',
      share(rate('elemta_clamav_virus_detected_total', long), rate('elemta_clamav_scans_total', long)),
    ),
    record('elemta:rspamd_spam:ratio_rate15m', share(spam, scored)),
    record('elemta:rspamd_score:mean15m', mean('elemta_rspamd_score', long)),
    record(
      'elemta:verdicts:ratio_rate15m',
      `${rate('elemta_verdicts_total', long, 'decision')} / on () group_left () (${rate('elemta_verdicts_total', long)} > 0)`,
    ),
    record('elemta:threats:rate15m', rate('elemta_threats_total', long, 'type')),
    record(
      'elemta:unscanned_messages:ratio_rate15m',
      share(
        rate('elemta_unscanned_messages_total', long),
        rate('elemta_verdicts_total{decision=~"deliver|tag"}', long),
      ),
    ),
    record('elemta:quarantine_released:ratio_rate1d', share(released, `(${settled.join(' + ')})`)),
    record('elemta:clamav_database:age_seconds', 'time() - min(elemta_clamav_database_updated_timestamp > 0)'),
    record('elemta:rspamd_server_scans:rate5m', rate('rspamd_scanned_total', short)),
    record(
      'elemta:rspamd_server_spam:ratio_rate15m',
      share(rate('rspamd_spam_total', long), rate('rspamd_scanned_total', long)),
    ),
    record('elemta:rspamd_server_actions:rate15m', rate('rspamd_actions_total', long, 'type')),
  ]
}

export function deliveryRecords({ window }: Timing): RecordingRule[] {
  const [short, long] = [window('5m'), window('15m')]
  const [failures, attempts] = ['elemta_delivery_failures_total', 'elemta_delivery_attempts_total']
  return [
    record('elemta:queue_size:sum', 'sum(elemta_queue_size{queue_type=~"incoming|active|deferred"})'),
    record('elemta:queue_size:deriv15m', `deriv(elemta:queue_size:sum[${long}])`),
    record('elemta:delivery_failures:ratio_rate15m', share(rate(failures, long), rate(attempts, long))),
    record(
      'elemta_route:delivery_failures:ratio_rate15m',
      share(rate(failures, long, 'route'), rate(attempts, long, 'route')),
    ),
    record(
      'elemta:delivery_retries:ratio_rate15m',
      share(rate('elemta_delivery_retries_total', long), rate(attempts, long)),
    ),
    record('elemta:delivery_duration:p95_5m', quantile(0.95, 'elemta_delivery_duration_seconds', short, 'route')),
    record(
      'elemta:delivery_first_attempt_delay:p95_5m',
      quantile(0.95, 'elemta_delivery_first_attempt_delay_seconds', short),
    ),
    record('elemta:processing_time:p95_5m', quantile(0.95, 'elemta_queue_processing_time_seconds', short)),
    record(
      'elemta:plugin_execution_time:p95_5m',
      quantile(0.95, 'elemta_plugin_execution_time_seconds', short, 'plugin'),
    ),
    record('elemta:disk_free:ratio', 'min(elemta_disk_free_bytes / elemta_disk_size_bytes)'),
    record('elemta:certificate_left:seconds', 'min by (certificate) (elemta_tls_certificate_expiry_seconds) - time()'),
    record('elemta:ledger_unbalanced:bool', 'max(abs(elemta_ledger_imbalance)) > bool 0'),
  ]
}
