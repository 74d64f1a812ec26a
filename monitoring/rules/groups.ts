// All rules, by the file that they are rendered to and the group that they are evaluated in. Alerts go from what is
// not there, over what does not keep up, to what is good to know.
import type { Settings } from '../thresholds.ts'
import { anomalyAlerts, anomalyRecords } from './anomaly.ts'
import { availabilityAlerts } from './availability.ts'
import { capacityAlerts } from './capacity.ts'
import { contextOf } from './context.ts'
import { deliveryAlerts } from './delivery.ts'
import { deliveryRecords, greylistRecords, scanRecords, sessionRecords } from './recording.ts'
import { SLO_WINDOWS } from './records.ts'
import type { AlertRule, RuleGroup } from './rule.ts'
import { saturationAlerts } from './saturation.ts'
import { securityAlerts } from './security.ts'
import { budgetRecords, isShort, sloAlerts, sloRecords } from './slo.ts'

/** Windows of days move slowly and cost most. */
const SLOW = '2m'

/** The groups of each file: recorded series first, since alerts read them. */
export function ruleFiles(settings: Settings): ReadonlyMap<string, readonly RuleGroup[]> {
  const context = contextOf(settings)
  const { timing } = context
  const slow = timing.wait(SLOW)
  return new Map<string, readonly RuleGroup[]>([
    [
      'elemta-recording',
      [
        { name: 'elemta-sessions', rules: sessionRecords(timing) },
        { name: 'elemta-greylisting', rules: greylistRecords(timing) },
        { name: 'elemta-scans', rules: scanRecords(timing) },
        { name: 'elemta-deliveries', rules: deliveryRecords(timing) },
      ],
    ],
    [
      'elemta-slo',
      [
        { name: 'elemta-slo-short', rules: sloRecords(context, SLO_WINDOWS.filter(isShort)) },
        {
          name: 'elemta-slo-long',
          interval: slow,
          rules: [
            ...sloRecords(
              context,
              SLO_WINDOWS.filter(window => !isShort(window)),
            ),
            ...budgetRecords(context),
          ],
        },
        { name: 'elemta-slo-alerts', rules: sloAlerts(context) },
      ],
    ],
    [
      'elemta-anomaly',
      [
        { name: 'elemta-anomaly-baselines', rules: anomalyRecords(context) },
        { name: 'elemta-anomaly-alerts', rules: anomalyAlerts(context) },
      ],
    ],
    [
      'elemta-alerts',
      [
        { name: 'elemta-availability', rules: availabilityAlerts(context) },
        { name: 'elemta-saturation', rules: saturationAlerts(context) },
        { name: 'elemta-delivery', rules: deliveryAlerts(context) },
        { name: 'elemta-capacity', rules: capacityAlerts(context) },
        { name: 'elemta-security', rules: securityAlerts(context) },
      ],
    ],
  ])
}

/** Every alert, in order; several may share a name. */
export function alertRules(settings: Settings): AlertRule[] {
  return [...ruleFiles(settings).values()]
    .flat()
    .flatMap(({ rules }) => rules)
    .filter(rule => rule.kind === 'alert')
}
