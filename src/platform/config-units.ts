// Sizes and durations as people write them: `25MB`, `30s`. One KB is 1024 octets, as Postfix and ClamAV count.
// A size without a unit is octets. A duration without a unit is refused (seconds? milliseconds?), but for 0.
// Wrong text throws RangeError with a sentence for people.

const KB = 1024
const SIZE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: KB,
  kb: KB,
  kib: KB,
  m: KB ** 2,
  mb: KB ** 2,
  mib: KB ** 2,
  g: KB ** 3,
  gb: KB ** 3,
  gib: KB ** 3,
}

const DURATION_UNITS = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
} as const

/** Octets in `25MB`, `1.5 KB`, `1000` or 1000. */
export function parseSize(input: string | number): number {
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(String(input).trim()) ?? []
  const factor = SIZE_UNITS[unit.toLowerCase()]
  const size = Number(digits) * (factor ?? Number.NaN)
  if (!Number.isInteger(size)) {
    throw new RangeError(`expected a size such as 25MB, 512KB or 1000 (octets), not ${JSON.stringify(input)}`)
  }
  return size
}

/** Milliseconds in `500ms`, `30s`, `1.5h`, `5d` or 0. */
export function parseDuration(input: string | number): number {
  const text = String(input).trim()
  if (text === '0') return 0
  if (/^\d+(\.\d+)?$/.test(text)) {
    throw new RangeError(`a duration needs its unit: write ${text}s for seconds, ${text}ms for milliseconds`)
  }
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/i.exec(text) ?? []
  const duration =
    Number(digits) * ((DURATION_UNITS as Readonly<Record<string, number>>)[unit.toLowerCase()] ?? Number.NaN)
  if (!Number.isInteger(duration)) {
    throw new RangeError(`expected a duration such as 500ms, 30s, 5m, 1h or 5d, not ${JSON.stringify(input)}`)
  }
  return duration
}

/** The shortest exact form: 26214400 is `25MB`, 1500 is `1500B`. */
export function formatSize(octets: number): string {
  return inLargestUnit(octets, { GB: KB ** 3, MB: KB ** 2, KB, B: 1 })
}

/** The shortest exact form: 300000 is `5m`, 90000 is `90s`. */
export function formatDuration(milliseconds: number): string {
  const { d, h, m, s, ms } = DURATION_UNITS
  return milliseconds === 0 ? '0s' : inLargestUnit(milliseconds, { d, h, m, s, ms })
}

function inLargestUnit(value: number, units: Readonly<Record<string, number>>): string {
  const [unit, factor] = Object.entries(units).find(([, factor]) => value >= factor && value % factor === 0) ?? ['B', 1]
  return `${value / factor}${unit}`
}
