// Colour steps of panels, taken from the settings by which the alerts fire: a panel turns orange where a warning is due
// and red where somebody is called, also after a site has changed its thresholds.
import type { Threshold } from '@grafana/grafana-foundation-sdk/dashboard'
import type { Settings, ThresholdName } from '../thresholds.ts'

/** The steps that hold under these settings. */
export type Limits = (settings: Settings) => Threshold[]
type Names = Readonly<{ warning?: ThresholdName | readonly ThresholdName[]; critical?: ThresholdName }>

const WARNING = 'orange'
const CRITICAL = 'red'

/** Bad above: counts and shares. */
export const over = (names: Names): Limits => steps(names, value => value, 'above')
/** Bad above: settings that are durations, panels in seconds. */
export const overSeconds = (names: Names): Limits => steps(names, value => value / 1000, 'above')
/** Bad with the next whole number above: what is counted one by one. */
export const moreThan = (names: Names): Limits => steps(names, value => value + 1, 'above')
/** Bad below: shares of what is left. */
export const under = (names: Names): Limits => steps(names, value => value, 'below')
/** Bad below: time that is left. */
export const underSeconds = (names: Names): Limits => steps(names, value => value / 1000, 'below')

/** Bad as soon as there is one; for alerts without a number. */
export const any =
  (color: 'orange' | 'red'): Limits =>
  () => [
    { value: null, color: 'green' },
    { value: 1, color },
  ]

/** Bad while there is none. */
export const none = (): Limits => () => [
  { value: null, color: CRITICAL },
  { value: 1, color: 'green' },
]

/** Bad once the error budget is spent: 0 of 1 left; orange in its last quarter. */
export const budget: Limits = () => [
  { value: null, color: CRITICAL },
  { value: 0, color: WARNING },
  { value: 0.25, color: 'green' },
]

function steps(names: Names, convert: (value: number) => number, bad: 'above' | 'below'): Limits {
  return ({ thresholds }) => {
    const at = (name: Names['warning'] = []) => [name].flat().map(one => convert(thresholds[one as ThresholdName]))
    const warning = at(names.warning).map(value => ({ value, color: WARNING }))
    const critical = at(names.critical).map(value => ({ value, color: CRITICAL }))
    if (bad === 'above') return [{ value: null, color: 'green' }, ...warning, ...critical]
    // Below: from nothing left upwards, each step begins where the milder state does.
    const limits = [...critical, ...warning]
    const milder = [...limits.slice(1).map(({ color }) => color), 'green']
    return [
      { value: null, color: limits[0]!.color },
      ...limits.map(({ value }, index) => ({ value, color: milder[index]! })),
    ]
  }
}
