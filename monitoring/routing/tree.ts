// Who gets what: the routing tree by severity, its grouping, timings and hours, apart from how a receiver is reached,
// so that one tree serves Alertmanager with e-mail and Slack as well as one that only knows other receivers.
// Every branch ends in a receiver: an alert of an unknown severity is treated as a warning, never dropped.
import type { RoutingSettings, Shift } from './settings.ts'

export type Matcher = readonly [label: string, operator: '=' | '!=' | '=~' | '!~', value: string]

/** Milliseconds. */
export type Timings = Readonly<{ wait: number; interval: number; repeat: number }>

export type Route = Readonly<{
  receiver: ReceiverName
  matchers: readonly Matcher[]
  /** Siblings behind this one are asked as well. */
  continues?: boolean
  timings?: Timings
  /** Names of intervals in which nothing is sent, and outside of which nothing is sent. */
  muted?: readonly string[]
  active?: readonly string[]
  routes?: readonly Route[]
}>

export type ReceiverName =
  | 'dead-mans-switch'
  | 'critical'
  | 'escalated'
  | 'warning'
  | 'info'
  | `on-call-${string}`
  | `second-${string}`

/** The alert that always fires, so that its silence is noticed. */
export const WATCHDOG = 'Watchdog'
export const GROUP_BY = ['alertname', 'severity'] as const
/** The label of the copy of an alert that goes to the second in line (escalation.ts). */
export const ESCALATION: Matcher = ['escalation', '=', 'second']
export const WARNING_HOURS = 'warning-hours'
const DAY = 86_400_000

/** The whole tree; its root is where an alert that no branch takes would end, and none does. */
export function routingTree(settings: RoutingSettings): Route {
  const { wait, interval, repeat_critical, repeat_warning } = settings.grouping
  const muted = settings.maintenance.map(({ name }) => maintenanceName(name))
  const every = settings.dead_mans_switch?.every ?? 60_000
  const onCall = (line: 'first' | 'second'): Route[] =>
    peopleOf(settings.on_call[line]).map(who => ({
      receiver: line === 'first' ? `on-call-${who}` : `second-${who}`,
      matchers: [],
      continues: true,
      muted,
      active: [shiftName(line, who)],
    }))
  const critical: Timings = { wait, interval, repeat: repeat_critical }
  return {
    receiver: 'warning',
    matchers: [],
    timings: { wait, interval, repeat: repeat_warning },
    routes: [
      {
        receiver: 'dead-mans-switch',
        matchers: [['alertname', '=', WATCHDOG]],
        // A repetition waits for the next interval: halves keep two of them less than `every` apart.
        timings: { wait: 0, interval: every / 2, repeat: every / 2 },
      },
      {
        receiver: 'escalated',
        matchers: [ESCALATION],
        timings: { ...critical, wait: 0 }, // it has waited long enough
        routes: [...onCall('second'), { receiver: 'escalated', matchers: [], muted }],
      },
      {
        receiver: 'critical',
        matchers: [['severity', '=', 'critical']],
        timings: critical,
        routes: [...onCall('first'), { receiver: 'critical', matchers: [], muted }],
      },
      { receiver: 'info', matchers: [['severity', '=', 'info']], timings: { wait, interval, repeat: DAY }, muted },
      {
        receiver: 'warning',
        matchers: [],
        muted,
        ...(settings.warnings.only_during ? { active: [WARNING_HOURS] } : {}),
      },
    ],
  }
}

/** Everybody who has a shift, once. */
export const peopleOf = (shifts: readonly Shift[]): string[] => [...new Set(shifts.map(({ who }) => who))]
export const shiftName = (line: 'first' | 'second', who: string) => `${line}-in-line-${who}`
export const maintenanceName = (name: string) => `maintenance-${name}`
