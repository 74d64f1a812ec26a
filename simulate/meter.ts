// One thing that has a quota by the second (a partition, a prefix, a table): a bucket that holds a second's worth, as
// AWS's bursts beyond that are promised to nobody. What is asked for is counted whether or not it is given.

export type Meter = Readonly<{
  perSecond: number
  has(units: number, now: number): boolean
  /** Only after `has`. */
  take(units: number): void
  /** Counts what is asked for. */
  ask(units: number): void
  asked(): number
}>

export function createMeter(perSecond: number): Meter {
  let level = perSecond
  let at = 0
  let asked = 0
  return {
    perSecond,
    has(units, now) {
      level = Math.min(perSecond, level + ((now - at) * perSecond) / 1000)
      at = now
      return level >= Math.min(units, perSecond)
    },
    take(units) {
      level -= units
    },
    ask(units) {
      asked += units
    },
    asked: () => asked,
  }
}

/** What a resource was asked for, beside what it has to give. */
export type Usage = Readonly<{
  name: string
  /** So many in a second, or so many at a time. */
  kind: 'rate' | 'count'
  /** For people: 'writes a second', 'vCPU'. */
  unit: string
  quota: number
  /** A rate on average over the run, of its hottest part; a count at most. */
  used: number
  /** Requests that were refused. */
  refused: number
}>

/** The usage of the hottest of several meters that have the same quota. */
export function usageOf(
  name: string,
  unit: string,
  meters: readonly Meter[],
  refused: number,
  milliseconds: number,
): Usage {
  const asked = meters.reduce((most, meter) => Math.max(most, meter.asked()), 0)
  return { name, kind: 'rate', unit, quota: meters[0]?.perSecond ?? 0, used: (asked * 1000) / milliseconds, refused }
}

export function countOf(name: string, unit: string, quota: number, used: number, refused = 0): Usage {
  return { name, kind: 'count', unit, quota, used, refused }
}
