// What runs out with time: disk, certificates, the memory of the greylist.
import type { Context } from './context.ts'
import { alert } from './promql.ts'
import type { AlertRule } from './rule.ts'

export function capacityAlerts({ thresholds: t, timing }: Context): AlertRule[] {
  const free = 'min by (instance) (elemta_disk_free_bytes / elemta_disk_size_bytes)'
  const [trend, ahead] = [timing.window(t.disk_trend_window), timing.patience(t.disk_trend_ahead)]
  const full = `min by (instance) (predict_linear(elemta_disk_free_bytes[${trend}], ${ahead})) < 0`
  const disk = {
    name: 'DiskSpaceLow',
    for: timing.wait(t.disk_for),
    team: 'platform',
    summary: 'The disk of the spool fills up at {{ $labels.instance }}',
    description:
      '{{ $value | humanizePercentage }} of the file system is free. When it is full, no mail is taken; nothing is lost.',
    dashboard: 'elemta-troubleshooting',
  } as const
  const left = (seconds: number) => `elemta:certificate_left:seconds < ${seconds}`
  const certificate = {
    name: 'CertificateExpiring',
    for: timing.wait(t.certificate_for),
    team: 'platform',
    summary: 'The certificate of {{ $labels.certificate }} ends soon',
    description: 'It ends in {{ $value | humanizeDuration }}. After that, clients that look refuse to speak with us.',
    dashboard: 'elemta-troubleshooting',
  } as const
  return [
    alert({
      ...disk,
      expr: `${free} < ${t.disk_free_warning}
or
${free} < ${t.disk_trend_free} and ${full}`,
      severity: 'warning',
      thresholds: ['disk_free_warning', 'disk_trend_free', 'disk_trend_window', 'disk_trend_ahead', 'disk_for'],
    }),
    alert({
      ...disk,
      expr: `${free} < ${t.disk_free_critical}`,
      severity: 'critical',
      thresholds: ['disk_free_critical', 'disk_for'],
    }),
    // The calendar does not run faster in a drill: these ages are never scaled.
    alert({
      ...certificate,
      expr: left(t.certificate_warning / 1000),
      severity: 'warning',
      thresholds: ['certificate_warning', 'certificate_for'],
    }),
    alert({
      ...certificate,
      expr: left(t.certificate_critical / 1000),
      severity: 'critical',
      thresholds: ['certificate_critical', 'certificate_for'],
    }),
    alert({
      name: 'LargeGreylistingDatabase',
      // The instances share one database.
      expr: `max(elemta_greylisting_active) > ${t.greylist_entries}`,
      for: timing.wait(t.greylist_for),
      severity: 'warning',
      team: 'mail',
      summary: 'The greylist has become large',
      description: `{{ $value | humanize }} triplets are remembered, more than ${t.greylist_entries}.`,
      dashboard: 'elemta-greylisting',
      thresholds: ['greylist_entries', 'greylist_for'],
    }),
  ]
}
