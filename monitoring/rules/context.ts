// What every group of rules is made from: a site's thresholds, and the times at the pace it evaluates.
import type { Settings } from '../thresholds.ts'
import { type Timing, timingOf } from './timing.ts'

export type Context = Readonly<{ thresholds: Settings['thresholds']; timing: Timing }>

export function contextOf({ thresholds, timing }: Settings): Context {
  return { thresholds, timing: timingOf(timing) }
}
