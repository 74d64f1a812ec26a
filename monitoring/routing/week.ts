// Hours of the week as people write them (`monday:friday`, `20:00-08:00`) and as Alertmanager takes them: days one by
// one, and no range across midnight; a night belongs to the day on which it begins.
// Wrong text throws RangeError with a sentence for people. Everything here is pure.

const DAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'] as const
const DAY = 1440 // minutes

/** Minutes since midnight, `end` after `start`; `end` may be 1440. */
export type Hours = Readonly<{ start: number; end: number }>

/** The same hours on several days (0 is Sunday). */
export type Span = Readonly<{ days: readonly number[]; hours: Hours }>

/** Days (0 is Sunday) in `monday:friday`, `saturday`, `friday:monday` or a list of them, in order of the week. */
export function parseWeekdays(written: string | readonly string[]): number[] {
  const days = [written].flat().flatMap(text => {
    const [first = '', last = first] = text.toLowerCase().replaceAll(' ', '').split(':')
    const [from, to] = [dayOf(first, text), dayOf(last, text)]
    return Array.from({ length: ((to - from + 7) % 7) + 1 }, (_, n) => (from + n) % 7)
  })
  return [...new Set(days)].sort((one, other) => one - other)
}

function dayOf(name: string, text: string): number {
  const day = (DAYS as readonly string[]).indexOf(name)
  if (day >= 0) return day
  throw new RangeError(`expected a day or days such as saturday or monday:friday, not ${JSON.stringify(text)}`)
}

export const dayName = (day: number): string => DAYS[day]!

/** `20:00-08:00` as start and end in minutes; an end before the start is on the next day. */
export function parseTimes(written: string): Hours {
  const [, ...parts] = /^(\d{1,2}):(\d\d)\s*-\s*(\d{1,2}):(\d\d)$/.exec(written.trim()) ?? []
  const [fromHour = 99, fromMinute = 99, toHour = 99, toMinute = 99] = parts.map(Number)
  const [start, end] = [fromHour * 60 + fromMinute, toHour * 60 + toMinute]
  if (fromMinute < 60 && toMinute < 60 && start < DAY && end <= DAY && start !== end) return { start, end }
  throw new RangeError(`expected times such as 09:00-17:00, or 20:00-08:00 for a night, not ${JSON.stringify(written)}`)
}

/** `90` is `01:30`; 1440 is `24:00`. */
export function formatTime(minutes: number): string {
  return [Math.floor(minutes / 60), minutes % 60].map(part => String(part).padStart(2, '0')).join(':')
}

/** The hours on these days without any that cross midnight: a night becomes an evening and the next day's morning. */
export function spansOf(days: readonly number[], { start, end }: Hours): Span[] {
  if (end > start) return [{ days, hours: { start, end } }]
  const evening = { days, hours: { start, end: DAY } }
  const following = days.map(day => (day + 1) % 7)
  return end === 0 ? [evening] : [evening, { days: following, hours: { start: 0, end } }]
}

/** When no span applies, in the order of the week: `sunday 00:00-08:00`. */
export function gaps(spans: readonly Span[]): string[] {
  return DAYS.flatMap((name, day) => {
    const today = spans.filter(({ days }) => days.includes(day)).map(({ hours }) => hours)
    const found: string[] = []
    let covered = 0
    for (const { start, end } of today.toSorted((one, other) => one.start - other.start)) {
      if (start > covered) found.push(`${name} ${formatTime(covered)}-${formatTime(start)}`)
      covered = Math.max(covered, end)
    }
    return covered < DAY ? [...found, `${name} ${formatTime(covered)}-24:00`] : found
  })
}
