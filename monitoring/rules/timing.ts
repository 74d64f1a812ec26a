// How long rules look back and wait, in PromQL's words. A drill shortens everything alike by `scale`; nothing gets so
// short that it cannot work: a window holds four evaluations, since `rate` needs two samples and may miss one at each
// end, and a wait holds two.
import { formatDuration, parseDuration } from '../../src/platform/config-units.ts'
import type { Settings } from '../thresholds.ts'

const LEAST_IN_WINDOW = 4
const LEAST_IN_WAIT = 2

/** A duration in milliseconds, or as text: `15m`. */
export type Time = number | string

export type Timing = Readonly<{
  /** A range such as `[15m]`, without its brackets. */
  window(time: Time): string
  /** A shift into the past: `offset 1d`, without the word. */
  offset(time: Time): string
  /** Milliseconds for `for`; 0 stays 0. */
  wait(time: Time): number
  /** Seconds that something running may take, to compare an age or a forecast with. */
  patience(time: Time): number
  /** How many events a window must hold, in proportion to its length; at least one. */
  volume(count: number): number
}>

/** The times of rules that are evaluated as `timing` says. */
export function timingOf({ scale, evaluation_interval: interval }: Settings['timing']): Timing {
  const scaled = (time: Time, least: number) =>
    Math.max(Math.ceil((typeof time === 'string' ? parseDuration(time) : time) * scale), least * interval)
  return {
    window: time => formatDuration(scaled(time, LEAST_IN_WINDOW)),
    offset: time => formatDuration(scaled(time, 1)),
    wait: time => (time === 0 ? 0 : scaled(time, LEAST_IN_WAIT)),
    patience: time => scaled(time, LEAST_IN_WAIT) / 1000,
    volume: count => Math.max(1, Math.ceil(count * scale)),
  }
}
