// The four promises in numbers: error budgets and how fast they burn.
import type { RecordName } from '../rules/records.ts'
import type { Slo } from '../rules/rule.ts'
import type { Row } from './dashboard.ts'
import { any, budget } from './limits.ts'
import { type PanelOf, stat, table, timeseries } from './panel.ts'
import { ageOf, recorded } from './query.ts'

const SLOS: Readonly<Record<Slo, { name: string; alert: string; promise: string }>> = {
  accept: {
    name: 'Accept',
    alert: 'AcceptErrorBudgetBurn',
    promise: 'Messages offered to us are not refused through our own fault.',
  },
  timeliness: {
    name: 'Timeliness',
    alert: 'TimelinessErrorBudgetBurn',
    promise: 'Recipients are tried within a minute of acceptance.',
  },
  scan_coverage: {
    name: 'Scan coverage',
    alert: 'ScanCoverageErrorBudgetBurn',
    promise: 'Messages passed on were seen by every scanner.',
  },
  no_loss: { name: 'No loss', alert: 'LossErrorBudgetBurn', promise: 'Everything accepted is accounted for.' },
}
const all = Object.keys(SLOS) as Slo[]

/** One line at the top: what is left of each budget, and what fires. */
export const sloState = (): Row => ({
  title: 'SLO state',
  panels: [...all.map(slo => budgetLeft(slo, 5, 4)), alertsFiring(4)],
})

export const budgets = (): Row => ({
  title: 'Error budgets (30 days)',
  panels: [...all.map(slo => budgetLeft(slo, 6, 5)), budgetCourse()],
})

export const burnRates = (): Row => ({ title: 'Burn rates', panels: all.map(burnRate) })

export const alertState = (): Row => ({ title: 'Alerts', panels: [ledger(), canaryState(), firing(12)] })

export function budgetLeft(slo: Slo, width: number, height: number): PanelOf {
  const { name, alert, promise } = SLOS[slo]
  return stat({
    title: `SLO: ${name}`,
    description: `${promise} Share of the 30 days’ error budget that is left: 100 % is untouched, 0 % is spent, below it the promise is broken. Empty before there was traffic.`,
    unit: 'percentunit',
    decimals: 1,
    max: 1,
    width,
    height,
    steps: budget,
    alerts: [alert],
    queries: [{ expr: recorded(`elemta:slo_${slo}_budget:remaining30d`), legend: name }],
  })
}

const budgetCourse = () =>
  timeseries({
    title: 'Error budget left',
    description: 'The course of all four. A step is an incident, a slope is a slow leak.',
    unit: 'percentunit',
    width: 24,
    max: 1,
    queries: all.map(slo => ({ expr: recorded(`elemta:slo_${slo}_budget:remaining30d`), legend: SLOS[slo].name })),
  })

function burnRate(slo: Slo): PanelOf {
  const windows = ['5m', '1h', '6h', '3d'] as const
  return timeseries({
    title: `Error ratio: ${SLOS[slo].name}`,
    description: `${SLOS[slo].promise} Share of bad events over several windows. The alert fires when a long and a short window burn together. 0 is good; empty before there was traffic.`,
    unit: 'percentunit',
    width: 12,
    alerts: [SLOS[slo].alert],
    queries: windows.map(window => ({
      expr: recorded(`elemta:slo_${slo}_errors:ratio_rate${window}` satisfies RecordName),
      legend: window,
    })),
  })
}

export const alertsFiring = (width: number) =>
  stat({
    title: 'Alerts firing',
    description: 'Without Watchdog, which always fires. 0 is good.',
    unit: 'locale',
    decimals: 0,
    width,
    steps: any('red'),
    queries: [{ expr: 'count(ALERTS{alertstate="firing",alertname!="Watchdog"}) or vector(0)', legend: 'firing' }],
  })

export const firing = (width: number) =>
  table({
    title: 'What fires',
    description: 'Watchdog is always here: it shows that alerts are evaluated. No data: Prometheus has no rules.',
    unit: 'none',
    width,
    columns: { alertname: 'Alert', severity: 'Severity', Value: 'Series' },
    alerts: ['Watchdog'],
    queries: [{ expr: 'count by (alertname, severity) (ALERTS{alertstate="firing"})', legend: '{{alertname}}' }],
  })

const ledger = () =>
  timeseries({
    title: 'Ledger imbalance',
    description: 'Accepted recipients that are in no queue and have no end state. 0 is the only good number.',
    unit: 'short',
    width: 6,
    alerts: ['LedgerImbalance'],
    steps: any('red'),
    queries: [
      { expr: 'max by (instance) (abs(elemta_ledger_imbalance{instance=~"$instance"}))', legend: '{{instance}}' },
    ],
  })

export const canaryState = (width = 6) =>
  timeseries({
    title: 'Canary: since the last success',
    description:
      'Test messages (clean, EICAR, GTUBE) go the whole way each minute. Above a few minutes: mail does not flow, or is not detected. No data: the canary is off, or has not succeeded yet.',
    unit: 's',
    width,
    alerts: ['CanaryMissing', 'CanaryWrong'],
    queries: [{ expr: ageOf('elemta_canary_last_success_timestamp_seconds', { by: 'kind' }), legend: '{{kind}}' }],
  })
