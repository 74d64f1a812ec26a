// The named hours that the routing tree speaks of: shifts, maintenance, the hours of warnings.
// A maintenance on a date that goes over midnight ends on the next date.
import type { RoutingSettings } from './settings.ts'
import { spansOfShift } from './settings-rules.ts'
import { maintenanceName, peopleOf, shiftName, WARNING_HOURS } from './tree.ts'
import { type Hours, type Span, spansOf } from './week.ts'

/** On these days of the week, or on one date (YYYY-MM-DD), in the settings' time zone. */
export type IntervalSpan = Span | Readonly<{ date: string; hours: Hours }>

export type Interval = Readonly<{ name: string; spans: readonly IntervalSpan[] }>

/** Every interval that the tree of the same settings names. */
export function intervals({ on_call, maintenance, warnings }: RoutingSettings): Interval[] {
  const shifts = (['first', 'second'] as const).flatMap(line =>
    peopleOf(on_call[line]).map(person => ({
      name: shiftName(line, person),
      spans: on_call[line].filter(({ who }) => who === person).flatMap(spansOfShift),
    })),
  )
  const windows = maintenance.map(({ name, date, weekdays, times }) => ({
    name: maintenanceName(name),
    spans: date === undefined ? spansOf(weekdays, times) : onDate(date, times),
  }))
  const hours = warnings.only_during ? [{ name: WARNING_HOURS, spans: spansOfShift(warnings.only_during) }] : []
  return [...shifts, ...windows, ...hours]
}

function onDate(date: string, times: Hours): IntervalSpan[] {
  const start = Date.parse(`${date}T00:00:00Z`)
  return spansOf([0], times).map(({ days, hours }) => ({
    date: new Date(start + days[0]! * 86_400_000).toISOString().slice(0, 10),
    hours,
  }))
}
