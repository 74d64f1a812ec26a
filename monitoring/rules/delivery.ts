// Does mail get to where it should? Shares of failures with a minimum of attempts, next hops, dead letters, the ledger.
import type { Context } from './context.ts'
import { alert, increase, percent } from './promql.ts'
import type { AlertRule } from './rule.ts'

export function deliveryAlerts({ thresholds: t, timing }: Context): AlertRule[] {
  const attempts = increase('elemta_delivery_attempts_total', timing.window('15m'))
  return [
    alert({
      name: 'HighDeliveryFailureRate',
      expr: `elemta:delivery_failures:ratio_rate15m > ${t.delivery_failure_ratio}
and ${attempts} >= ${timing.volume(t.delivery_minimum)}`,
      for: timing.wait(t.delivery_for),
      severity: 'critical',
      team: 'mail',
      summary: 'Many delivery attempts fail',
      description: `{{ $value | humanizePercentage }} of the delivery attempts of 15 minutes failed, for now or for good; ${percent(t.delivery_failure_ratio)} are too many.`,
      dashboard: 'elemta-dashboard',
      thresholds: ['delivery_failure_ratio', 'delivery_minimum', 'delivery_for'],
    }),
    alert({
      name: 'DestinationDown',
      expr: 'max(elemta_delivery_destinations_down) > 0',
      for: timing.wait(t.destination_down_for),
      severity: 'warning',
      team: 'mail',
      summary: 'A next hop is down',
      description: '{{ $value | humanize }} destinations take nothing: their mail waits, and only probes go there.',
      dashboard: 'elemta-dashboard',
      thresholds: ['destination_down_for'],
    }),
    alert({
      name: 'DeadLetters',
      expr: `sum(elemta_queue_size{queue_type="failed"}) > ${t.dead_letters}`,
      for: timing.wait(t.dead_letters_for),
      severity: 'warning',
      team: 'mail',
      summary: 'Jobs were given up: dead letters',
      description: '{{ $value | humanize }} jobs crashed their workers too often. Their mail waits for a person.',
      dashboard: 'elemta-troubleshooting',
      thresholds: ['dead_letters', 'dead_letters_for'],
    }),
    alert({
      name: 'LedgerImbalance',
      // Both signs: too few end states is mail lost, too many is mail counted or sent twice.
      expr: 'max(abs(elemta_ledger_imbalance)) > 0',
      for: timing.wait(t.imbalance_for),
      severity: 'critical',
      team: 'mail',
      slo: 'no_loss',
      summary: 'Accepted mail is unaccounted for',
      description: '{{ $value | humanize }} accepted recipients are in no queue and have no end state.',
      dashboard: 'elemta-troubleshooting',
      thresholds: ['imbalance_for'],
    }),
  ]
}
