// Turns at a next hop: as many at once as its rate allows in a period, then one after the other, evenly. Pure.
// A turn is given out ahead of time, so who comes first goes first and everybody knows how long the wait is.
import type { Rate } from '../platform/config-fields.ts'

/**
 * When the turn is, and what `previous` is for the next one. Times are of one clock, in milliseconds; `previous` is
 * undefined when nobody had a turn for a period.
 */
export function nextTurn(
  previous: number | undefined,
  rate: Rate,
  now: number,
): Readonly<{ at: number; previous: number }> {
  const interval = turnInterval(rate)
  // The generic cell rate algorithm: the earliest time for this turn, were they spread evenly, less what may be saved up.
  const saved = Math.max(0, rate.period - interval)
  const due = Math.max(previous === undefined ? Number.NEGATIVE_INFINITY : previous + interval, now - saved)
  return { at: Math.max(due, now), previous: due }
}

/** Milliseconds from one turn to the next. */
export function turnInterval({ amount, period }: Rate): number {
  return period / amount
}
