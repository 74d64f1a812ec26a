// What an alert must do, told in series and minutes, in promtool's notation. Each rule has stories of five kinds; the
// builders below tell those of the common shapes: a gauge over a limit, a share of counters, an event counted.
import type { Severity } from '../../../monitoring/rules/rule.ts'

export const KINDS = ['fires', 'boundary', 'resolves', 'absent', 'restart'] as const
export type Kind = (typeof KINDS)[number]

type Labels = Readonly<Record<string, string>>
/** Series to values: `'1+0x5 0+0x3'`. */
export type Series = Readonly<Record<string, string>>

/** At this time these alerts fire, told by the labels that they have beside their rule's own. */
type Step = readonly [at: string, firing: readonly Labels[]]

export type Story = Readonly<{ series: Series; steps: readonly Step[] }>

export type RuleStories = Readonly<{
  alert: string
  severity: Severity
  /** The labels that tell rules of one name and severity apart. */
  labels?: Labels
  /** Of samples and evaluations; a minute unless told. */
  every?: string
  /** What `{{ $value }}` reads as when it fires first in `fires`. */
  value?: string
  /** The texts, where they are more than values and labels put in. */
  texts?: Readonly<{ summary: string; description: string }>
  stories: Readonly<Record<Kind, readonly Story[]>>
}>

export const NONE: readonly Labels[] = []
/** One alert without labels of its own. */
export const ONE: readonly Labels[] = [{}]

/** `count` samples of one value. */
export const hold = (value: number, count: number) => (count === 0 ? '' : `${value}+0x${count - 1}`)

const minutes = (count: number) => `${count}m`

/** A gauge that must not be over its limit for `wait` minutes. `over` and `limit` are values on both sides. */
export function gauge(
  series: string,
  {
    limit,
    over,
    wait,
    firing = ONE,
    beside = {},
  }: Readonly<{
    limit: number
    over: number
    wait: number
    firing?: readonly Labels[]
    beside?: Series
  }>,
): RuleStories['stories'] {
  const told = (values: string, ...steps: Step[]): Story => ({ series: { ...beside, [series]: values }, steps })
  const [begins, fires] = [hold(limit, 2), wait + 2]
  const tooShort = `${begins} ${hold(over, wait)} ${hold(limit, 10)}`
  return {
    fires: [
      told(`${begins} ${hold(over, wait + 10)}`, ...(wait > 0 ? [[minutes(fires - 1), NONE] as const] : []), [
        minutes(fires),
        firing,
      ]),
    ],
    boundary: [
      told(hold(limit, wait + 30), [minutes(wait + 20), NONE]),
      told(tooShort, [minutes(fires - 1), NONE], [minutes(fires), NONE], [minutes(fires + 3), NONE]),
    ],
    resolves: [
      told(
        `${begins} ${hold(over, wait + 4)} ${hold(limit, 10)}`,
        [minutes(fires), firing],
        [minutes(fires + 5), NONE],
      ),
    ],
    absent: [{ series: beside, steps: [[minutes(wait + 10), NONE]] }],
    // The process goes and comes back: the wait begins anew.
    restart: [
      told(
        `${begins} ${hold(over, wait)} stale ${hold(over, wait)} ${hold(limit, 9)}`,
        [minutes(fires), NONE],
        [minutes(2 * wait + 2), NONE],
      ),
    ],
  }
}

/** Two counters whose share must not be over a limit, with the sum of `wholes` as the whole, at `[part, whole]` a minute. */
export function share(
  { part, whole }: Readonly<{ part: string; whole: string }>,
  {
    limit,
    over,
    few,
    wait,
  }: Readonly<{
    limit: readonly [part: number, whole: number]
    over: readonly [part: number, whole: number]
    /** Events a minute, all of them bad, that are fewer than the minimum. */
    few: number
    wait: number
  }>,
): RuleStories['stories'] {
  const run = ([bad, all]: readonly [number, number], count: number) => ({
    [part]: `0+${bad}x${count}`,
    [whole]: `0+${all}x${count}`,
  })
  const twice = ([bad, all]: readonly [number, number], count: number) => ({
    [part]: `0+${bad}x${count - 1} 0+${bad}x${count}`,
    [whole]: `0+${all}x${count - 1} 0+${all}x${count}`,
  })
  const [before, fires] = [minutes(wait), minutes(wait + 1)]
  const [bad, all] = over
  return {
    fires: [
      {
        series: run(over, wait + 10),
        steps: [
          [before, NONE],
          [fires, ONE],
        ],
      },
    ],
    boundary: [
      {
        series: run(limit, 60),
        steps: [
          [minutes(30), NONE],
          [minutes(60), NONE],
        ],
      },
      {
        series: run([few, few], 60),
        steps: [
          [minutes(30), NONE],
          [minutes(60), NONE],
        ],
      },
    ],
    resolves: [
      {
        series: { [part]: `0+${bad}x30 ${hold(30 * bad, 40)}`, [whole]: `0+${all}x70` },
        steps: [
          [fires, ONE],
          ['70m', NONE],
        ],
      },
    ],
    absent: [
      { series: {}, steps: [['30m', NONE]] },
      { series: { [whole]: `0+${all}x40` }, steps: [['40m', NONE]] },
      { series: { [part]: hold(0, 40), [whole]: hold(0, 40) }, steps: [['40m', NONE]] },
    ],
    restart: [
      {
        series: twice(limit, 30),
        steps: [
          [minutes(31), NONE],
          [minutes(45), NONE],
        ],
      },
      {
        series: twice(over, 30),
        steps: [
          [minutes(29), ONE],
          [minutes(31), ONE],
          [minutes(45), ONE],
        ],
      },
    ],
  }
}

/** A counter of what must not happen, told of for `window` minutes. */
export function event(
  series: string,
  { window, firing = ONE }: Readonly<{ window: number; firing?: readonly Labels[] }>,
): RuleStories['stories'] {
  const told = (values: string, ...steps: Step[]): Story => ({ series: { [series]: values }, steps })
  const once = `5+0x3 ${hold(6, window + 10)}`
  return {
    fires: [told(once, ['3m', NONE], ['4m', firing])],
    boundary: [told(hold(5, 30), ['5m', NONE], ['25m', NONE])],
    resolves: [told(once, ['4m', firing], [minutes(window + 5), NONE])],
    absent: [{ series: {}, steps: [['10m', NONE]] }],
    restart: [told(`5+0x5 ${hold(0, 20)}`, ['6m', NONE], ['20m', NONE])],
  }
}
