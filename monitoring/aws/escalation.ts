// A critical alert that goes on becomes a second one, for the second in line, as monitoring/routing/escalation.ts does it
// for Prometheus. Amazon's ruler cannot rename an alert on its way to Alertmanager, so there is a rule for each critical
// alert, which has the alert's own name: one silence by name keeps both quiet here, too.
import { formatDuration } from '../../src/platform/config-units.ts'
import type { RoutingSettings } from '../routing/settings.ts'
import { ESCALATION } from '../routing/tree.ts'
import { alertRules } from '../rules/groups.ts'
import { annotationsOf } from '../rules/render.ts'
import { timingOf } from '../rules/timing.ts'
import type { Settings } from '../thresholds.ts'

const [label, , value] = ESCALATION

/** One for each name of a critical alert. */
export function escalationRules(settings: Settings, { escalation }: Pick<RoutingSettings, 'escalation'>): object[] {
  const after = formatDuration(timingOf(settings.timing).wait(escalation.after))
  const critical = new Map(
    alertRules(settings)
      .filter(({ severity }) => severity === 'critical')
      .map(rule => [rule.name, rule]),
  )
  return [...critical].map(([name, rule]) => ({
    alert: name,
    expr: `max without (alertstate) (ALERTS{alertstate="firing", severity="critical", alertname="${name}", ${label}=""})`,
    for: after,
    labels: { [label]: value, escalates: name },
    annotations: {
      ...annotationsOf(rule, settings.links),
      summary: `${name} has been firing for ${after}`,
      description: `${name} has been firing for ${after} and is not silenced: please take over.`,
      dashboard_url: `${settings.links.grafana.replace(/\/$/, '')}/d/elemta-troubleshooting`,
    },
  }))
}
