// Notices that the clock was put forward (or that the machine slept): ages computed from it are not believed for a
// while then, so that nothing expires by a wrong clock, and there is time to put it right. What it says meanwhile, and
// afterwards, is taken as it is; when it goes back to where it was, it is believed again at once.
import type { Log } from './log.ts'

export type ClockWatch = Readonly<{
  /** Whether ages may be believed; looks at the clock. */
  believed(): boolean
}>

export type ClockWatchOptions = Readonly<{
  /** Milliseconds since 1970, as the machine has it. */
  now: () => number
  /** Milliseconds since any moment, never put forward or back. */
  steady?: () => number
  log: Log
}>

/** Between two looks a clock that is only kept right differs by less. */
const TOLERANCE = 5 * 60_000
const PATIENCE = 6 * 3_600_000

export function createClockWatch({ now, steady = () => performance.now(), log }: ClockWatchOptions): ClockWatch {
  const offset = () => now() - steady()
  let trusted = offset()
  let doubt: Readonly<{ since: number; offset: number }> | undefined

  function believed(): boolean {
    const current = offset()
    const isOver = doubt !== undefined && steady() - doubt.since >= PATIENCE
    // Backwards nothing grows old too early.
    if (isOver || current - trusted < TOLERANCE) {
      trusted = current
      doubt = undefined
      return true
    }
    if (doubt === undefined || current - doubt.offset >= TOLERANCE) {
      doubt = { since: steady(), offset: current }
      log.warn({ seconds: Math.round((current - trusted) / 1000) }, 'clock-jumped')
    }
    return false
  }
  return { believed }
}
