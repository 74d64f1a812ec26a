// Is it there, and does it do its work? The gateway, its scanners, its exporters, the messages sent through it to
// prove it, and Watchdog, which proves that alerts themselves arrive.
import type { Context } from './context.ts'
import { alert, increase } from './promql.ts'
import type { AlertRule } from './rule.ts'

/** One of each part of the gateway: when these are scraped, the others are too. */
const ESSENTIAL = [
  'elemta_messages_received_total',
  'elemta_queue_size',
  'elemta_delivery_attempts_total',
  'elemta_verdicts_total',
  'elemta_scanner_up',
  'elemta_ledger_imbalance',
] as const

export function availabilityAlerts({ thresholds: t, timing }: Context): AlertRule[] {
  const canaryGone = `max by (kind) (max_over_time(elemta_canary_sent_total[${timing.window('1d')}])) > 0
  unless on (kind) max by (kind) (elemta_canary_sent_total)`
  return [
    alert({
      name: 'ElemtaDown',
      expr: 'up{job="elemta"} == 0\nor\nabsent(up{job="elemta"})',
      for: timing.wait(t.down_for),
      severity: 'critical',
      team: 'platform',
      summary: 'Elemta does not answer{{ with $labels.instance }} at {{ . }}{{ end }}',
      description:
        'Prometheus cannot scrape {{ with $labels.instance }}{{ . }}{{ else }}any instance of Elemta: none is configured or discovered{{ end }}.',
      dashboard: 'elemta-dashboard',
      thresholds: ['down_for'],
    }),
    alert({
      name: 'MetricsAbsent',
      expr: `(
${ESSENTIAL.map(name => `  label_replace(absent(${name}), "metric", "${name}", "", "")`).join('\n  or\n')}
)
and on () max(up{job="elemta"}) == 1`,
      for: timing.wait(t.absent_for),
      severity: 'warning',
      team: 'platform',
      summary: 'Elemta answers, but {{ $labels.metric }} is missing',
      description: 'No instance shows {{ $labels.metric }}: what is alerted by it is not watched now.',
      dashboard: 'elemta-troubleshooting',
      thresholds: ['absent_for'],
    }),
    alert({
      name: 'ScannerDown',
      expr: 'min by (scanner) (elemta_scanner_up and on (instance, scanner) (elemta_scanner_configured == 1)) == 0',
      for: timing.wait(t.scanner_down_for),
      severity: 'critical',
      team: 'security',
      summary: '{{ $labels.scanner }} does not answer',
      description:
        'The gateway pings {{ $labels.scanner }} without an answer. Mail waits for it, or passes tagged, as its on_error says.',
      dashboard: 'elemta-security',
      thresholds: ['scanner_down_for'],
    }),
    alert({
      name: 'ExporterDown',
      expr: 'up{job=~"clamav|rspamd|prometheus|alertmanager"} == 0',
      for: timing.wait(t.absent_for),
      severity: 'warning',
      team: 'platform',
      summary: 'The metrics of {{ $labels.job }} cannot be had',
      description: 'Prometheus cannot scrape {{ $labels.job }} at {{ $labels.instance }}.',
      dashboard: 'elemta-troubleshooting',
      thresholds: ['absent_for'],
    }),
    alert({
      name: 'RestartLoop',
      // One instance that starts again and again; a deploy starts each once.
      expr: `changes(process_start_time_seconds{job="elemta"}[${timing.window(t.restart_window)}]) > ${t.restarts}`,
      for: 0,
      severity: 'critical',
      team: 'platform',
      summary: 'Elemta restarts again and again at {{ $labels.instance }}',
      description: `{{ printf "%.0f" $value }} restarts within ${timing.window(t.restart_window)}.`,
      dashboard: 'elemta-troubleshooting',
      thresholds: ['restarts', 'restart_window'],
    }),
    alert({
      name: 'CanaryMissing',
      // Either it was sent and did not come through, or there was one within a day and nobody sends it any more.
      expr: `(time() - max by (kind) (elemta_canary_last_success_timestamp_seconds)) > ${timing.patience(t.canary_age)}
  and on (kind) sum by (kind) (elemta_canary_sent_total) > 0
or
${canaryGone}`,
      for: timing.wait('2m'),
      severity: 'critical',
      team: 'mail',
      summary: 'The canary {{ $labels.kind }} does not come through',
      description:
        'No canary of the kind {{ $labels.kind }} ended as it should lately: mail stands still, or the canary is no longer sent.',
      dashboard: 'elemta-troubleshooting',
      thresholds: ['canary_age'],
    }),
    alert({
      name: 'CanaryWrong',
      expr: `${increase('elemta_canary_results_total{result="wrong"}', timing.window(t.canary_window), 'kind')} > 0`,
      for: 0,
      severity: 'critical',
      team: 'security',
      summary: 'The canary {{ $labels.kind }} ended wrongly',
      description:
        '{{ printf "%.0f" $value }} canaries of the kind {{ $labels.kind }} did not get the verdict that they must: a scanner no longer finds what it is there for, or finds too much.',
      dashboard: 'elemta-security',
      thresholds: ['canary_window'],
    }),
    alert({
      name: 'ReloadFailed',
      expr: `${increase('elemta_config_reloads_total{outcome="failure"}', timing.window(t.reload_window), 'instance')} > 0`,
      for: 0,
      severity: 'warning',
      team: 'platform',
      summary: 'A reload of the configuration failed at {{ $labels.instance }}',
      description:
        'The configuration on disk cannot be used: {{ $labels.instance }} goes on with the old one, but would not start again.',
      dashboard: 'elemta-troubleshooting',
      thresholds: ['reload_window'],
    }),
    alert({
      name: 'Watchdog',
      expr: 'vector(1)',
      for: 0,
      severity: 'info',
      team: 'platform',
      summary: 'Alerts arrive',
      description: 'Always firing. When it stops arriving, Prometheus or Alertmanager does not work.',
      dashboard: 'elemta-dashboard',
      thresholds: [],
    }),
  ]
}
