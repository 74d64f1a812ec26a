// Does it keep up? Connections, queues, the oldest message, and mail that is refused because there is too much.
import type { Context } from './context.ts'
import { alert } from './promql.ts'
import type { AlertRule } from './rule.ts'

export function saturationAlerts({ thresholds: t, timing }: Context): AlertRule[] {
  const oldest = (queue: string, age: number) =>
    `max by (queue_type) (elemta_queue_oldest_age_seconds{queue_type="${queue}"}) > ${timing.patience(age)}`
  const tooOld = {
    name: 'OldestMessageTooOld',
    for: timing.wait('1m'),
    team: 'mail',
    summary: 'Mail waits too long in the queue {{ $labels.queue_type }}',
    description: 'The oldest message in {{ $labels.queue_type }} has waited for {{ $value | humanizeDuration }}.',
    dashboard: 'elemta-dashboard',
  } as const
  return [
    alert({
      name: 'HighActiveConnections',
      expr: `sum(elemta_connections_active) > ${t.active_connections}`,
      for: timing.wait(t.connections_for),
      severity: 'warning',
      team: 'platform',
      summary: 'Many SMTP connections are open',
      description: `{{ $value | humanize }} connections are open; more than ${t.active_connections} are unusual.`,
      dashboard: 'elemta-dashboard',
      thresholds: ['active_connections', 'connections_for'],
    }),
    alert({
      name: 'QueueSizeGrowing',
      expr: `elemta:queue_size:sum > ${t.queue_size} and elemta:queue_size:deriv15m > 0`,
      for: timing.wait(t.queue_growth_for),
      severity: 'warning',
      team: 'mail',
      summary: 'The queue is long, and grows',
      description: `{{ $value | humanize }} jobs wait, more than ${t.queue_size}, and they become more.`,
      dashboard: 'elemta-dashboard',
      thresholds: ['queue_size', 'queue_growth_for'],
    }),
    alert({
      ...tooOld,
      expr: `${oldest('incoming', t.incoming_age_warning)}\nor\n${oldest('deferred', t.deferred_age_warning)}`,
      severity: 'warning',
      thresholds: ['incoming_age_warning', 'deferred_age_warning'],
    }),
    // Deferred mail waits for others, for days if need be: only what waits for us calls somebody.
    alert({
      ...tooOld,
      expr: oldest('incoming', t.incoming_age_critical),
      severity: 'critical',
      thresholds: ['incoming_age_critical'],
    }),
    alert({
      name: 'BackPressure',
      expr: 'max by (reason) (elemta_back_pressure) == 1',
      for: timing.wait(t.back_pressure_for),
      severity: 'critical',
      team: 'platform',
      summary: 'No mail is taken: {{ $labels.reason }}',
      description:
        'All mail is refused with 451, because too much waits (queue) or the disk is full (disk). Now it is: {{ $labels.reason }}.',
      dashboard: 'elemta-troubleshooting',
      thresholds: ['back_pressure_for'],
    }),
  ]
}
