// A critical alert that goes on becomes a second one, for the second in line: Alertmanager itself cannot escalate.
// The copy keeps the alert's labels and has two more: `escalation`, by which it is routed, and `escalates`, the name of
// what goes on. On its way to Alertmanager the copy gets that name back (ESCALATION_RELABEL), so that a silence for the
// alert, which is how a person says "I have it", keeps the copy quiet, too. It ends when the alert does.
import { stringify } from 'yaml'
import { formatDuration } from '../../src/platform/config-units.ts'
import { timingOf } from '../rules/timing.ts'
import type { Settings } from '../thresholds.ts'
import type { RoutingSettings } from './settings.ts'

export const ESCALATION_ALERT = 'CriticalUnanswered'

/** Part of prometheus.yml, below `alerting`. */
export const ESCALATION_RELABEL = [
  { source_labels: ['alertname', 'escalates'], regex: `${ESCALATION_ALERT};(.+)`, target_label: 'alertname' },
]

const EXPRESSION = `label_replace(
  max without (alertstate) (ALERTS{alertstate="firing", severity="critical", alertname!="${ESCALATION_ALERT}"}),
  "escalates", "$1", "alertname", "(.+)"
)`

/** The rule file. A drill's `timing` shortens the wait as it shortens those of the other rules. */
export function renderEscalation(
  { escalation }: Pick<RoutingSettings, 'escalation'>,
  { links, timing }: Pick<Settings, 'links' | 'timing'>,
): string {
  const after = formatDuration(timingOf(timing).wait(escalation.after))
  const rule = {
    alert: ESCALATION_ALERT,
    expr: EXPRESSION,
    for: after,
    labels: { escalation: 'second' },
    annotations: {
      summary: `{{ $labels.escalates }} has been firing for ${after}`,
      description: `{{ $labels.escalates }} has been firing for ${after} and is not silenced: please take over.`,
      runbook_url: `${links.runbooks}/{{ $labels.escalates }}.md`,
      dashboard_url: `${links.grafana}/d/elemta-troubleshooting`,
    },
  }
  const head = '# Written by `npm run monitoring` from monitoring/routing/escalation.ts: change that.\n'
  return head + stringify({ groups: [{ name: 'elemta-escalation', rules: [rule] }] }, { lineWidth: 0 })
}
