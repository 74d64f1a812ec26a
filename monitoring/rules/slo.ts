// Four service level objectives over 30 days, and their burn: an alert when the error budget goes 14.4 or 6 times as
// fast as it may (a person is called), or 3 times or just as fast (work for the day). Each needs its long window to
// have burnt and its short one to burn still, so it ends soon after the cause. A window with few events, or with fewer
// bad ones than slo_minimum_errors, burns nothing: one message of three is no incident.

import type { Context } from './context.ts'
import { alert, increase, percent, rate, record, share } from './promql.ts'
import { SLO_WINDOWS, type SloWindow } from './records.ts'
import type { AlertRule, RecordingRule, Slo } from './rule.ts'

type Objective = Readonly<{
  slo: Slo
  alert: string
  threshold: 'slo_accept' | 'slo_timeliness' | 'slo_scan_coverage' | 'slo_no_loss'
  /** What went wrong, for people. */
  errors: string
  team: AlertRule['team']
  dashboard: AlertRule['dashboard']
  /** Counters: what went wrong, and all there was. `bad` may stand for all but the good. Without them, of time. */
  events?: Readonly<{ bad: (over: Over) => string; all: (over: Over) => string }>
}>

type Over = (metric: string) => string

// A bucket's bound is `60` or `60.0`, as the version of Prometheus writes it.
const OBJECTIVES: readonly Objective[] = [
  {
    slo: 'accept',
    alert: 'AcceptErrorBudgetBurn',
    threshold: 'slo_accept',
    errors: 'messages were refused for now through our own fault: storage, room or an unexpected error',
    team: 'platform',
    dashboard: 'elemta-slo',
    events: {
      bad: over => over('elemta_messages_tempfailed_total{reason=~"storage|room|other"}'),
      all: over =>
        `(${over('elemta_messages_received_total')} + ${over('elemta_messages_tempfailed_total{reason=~"storage|room|other"}')})`,
    },
  },
  {
    slo: 'timeliness',
    alert: 'TimelinessErrorBudgetBurn',
    threshold: 'slo_timeliness',
    errors: 'recipients had their first delivery attempt later than a minute after acceptance',
    team: 'mail',
    dashboard: 'elemta-slo',
    events: {
      bad: over =>
        `(${over('elemta_delivery_first_attempt_delay_seconds_count')} - ${over('elemta_delivery_first_attempt_delay_seconds_bucket{le=~"60([.]0)?"}')})`,
      all: over => over('elemta_delivery_first_attempt_delay_seconds_count'),
    },
  },
  {
    slo: 'scan_coverage',
    alert: 'ScanCoverageErrorBudgetBurn',
    threshold: 'slo_scan_coverage',
    errors: 'messages were passed on that a scanner did not see',
    team: 'security',
    dashboard: 'elemta-slo',
    events: {
      bad: over => over('elemta_unscanned_messages_total'),
      all: over => over('elemta_verdicts_total{decision=~"deliver|tag"}'),
    },
  },
  {
    slo: 'no_loss',
    alert: 'LossErrorBudgetBurn',
    threshold: 'slo_no_loss',
    errors: 'of the time accepted recipients were unaccounted for',
    team: 'mail',
    dashboard: 'elemta-slo',
  },
]

const errorsOver = (slo: Slo, window: SloWindow) => `elemta:slo_${slo}_errors:ratio_rate${window}` as const

/** The windows that a page or a ticket looks at: those up to six hours, evaluated as often as everything else. */
export const isShort = (window: SloWindow) => !window.endsWith('d')

/** Error ratios over `windows`. */
export function sloRecords({ timing }: Context, windows: readonly SloWindow[] = SLO_WINDOWS): RecordingRule[] {
  return OBJECTIVES.flatMap(({ slo, events }) =>
    windows.map(window => {
      const range = timing.window(window)
      const over: Over = metric => rate(metric, range)
      // No loss is counted in time, not in events: one lost recipient stays on the books until it is found.
      const ratio = events
        ? share(events.bad(over), events.all(over))
        : `avg_over_time(elemta:ledger_unbalanced:bool[${range}])`
      return record(errorsOver(slo, window), ratio)
    }),
  )
}

/** The share of each objective's budget that is left. */
export function budgetRecords({ thresholds }: Context): RecordingRule[] {
  return OBJECTIVES.map(({ slo, threshold }) =>
    record(
      `elemta:slo_${slo}_budget:remaining30d`,
      `1 - ${errorsOver(slo, '30d')} / ${budgetOf(thresholds[threshold])}`,
    ),
  )
}

const budgetOf = (objective: number) => Number((1 - objective).toPrecision(6))

type Burn = Readonly<{ factor: number; long: SloWindow; short: SloWindow }>

const PAGE: readonly Burn[] = [
  { factor: 14.4, long: '1h', short: '5m' },
  { factor: 6, long: '6h', short: '30m' },
]
const TICKET: readonly Burn[] = [
  { factor: 3, long: '1d', short: '2h' },
  { factor: 1, long: '3d', short: '6h' },
]

export function sloAlerts({ thresholds, timing }: Context): AlertRule[] {
  function burns({ slo, threshold, events }: Objective, { factor, long, short }: Burn): string {
    const limit = Number((factor * budgetOf(thresholds[threshold])).toPrecision(6))
    const both = `${errorsOver(slo, long)} > ${limit} and ${errorsOver(slo, short)} > ${limit}`
    if (!events) return `(${both})`
    const over: Over = metric => increase(metric, timing.window(long))
    const [all, bad] = [timing.volume(thresholds.slo_minimum), timing.volume(thresholds.slo_minimum_errors)]
    return `(${both} and ${events.all(over)} >= ${all} and ${events.bad(over)} >= ${bad})`
  }

  const burnAlert = (objective: Objective, severity: 'critical' | 'warning', pairs: readonly Burn[]) => {
    const { slo, alert: name, threshold, errors, team, dashboard } = objective
    return alert({
      name,
      expr: pairs.map(pair => burns(objective, pair)).join('\nor\n'),
      for: timing.wait('1m'),
      severity,
      ...{ team, slo, dashboard },
      summary: `The error budget of the objective ${slo} burns ${severity === 'critical' ? 'fast' : 'steadily'}`,
      description: `{{ $value | humanizePercentage }} ${events(objective)}${errors}; the objective allows ${percent(budgetOf(thresholds[threshold]))} over 30 days.`,
      thresholds: [threshold, 'slo_minimum', 'slo_minimum_errors'],
    })
  }
  return OBJECTIVES.flatMap(objective => [
    burnAlert(objective, 'critical', PAGE),
    burnAlert(objective, 'warning', TICKET),
  ])
}

const events = (objective: Objective) => (objective.events ? 'of the ' : '')
