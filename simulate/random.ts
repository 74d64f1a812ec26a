// Chance that is the same for the same seed, and the distributions that are drawn from it.

export type Chance = () => number

/** Numbers from 0 to below 1 (sfc32). */
export function createChance(seed: number): Chance {
  let [a, b, c, d] = [0x9e3779b9, 0x243f6a88, 0xb7e15162, seed | 0]
  function next(): number {
    const sum = (a + b + d) | 0
    d = (d + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    return (sum >>> 0) / 2 ** 32
  }
  // Seeds that differ in one bit begin alike.
  for (let n = 0; n < 16; n++) next()
  return next
}

export function exponential(chance: Chance, mean: number): number {
  return -mean * Math.log(1 - chance())
}

/** How long something takes: half of the time not above `median`, and once in a hundred times above `p99`. */
export type Latency = Readonly<{ median: number; p99: number }>

/** Of the standard normal distribution: one in a hundred is above it. */
const Z99 = 2.3263

/** Log-normal: never below 0, and with a long tail, as services answer. */
export function latency(chance: Chance, { median, p99 }: Latency): number {
  const normal = Math.sqrt(-2 * Math.log(1 - chance())) * Math.cos(2 * Math.PI * chance())
  return median * Math.exp((Math.log(p99 / median) / Z99) * normal)
}

/** The mean of the same. */
export function meanOf({ median, p99 }: Latency): number {
  return median * Math.exp((Math.log(p99 / median) / Z99) ** 2 / 2)
}

const DRAWS = 1000

/** The mean of the slowest of `count` at a time, by drawing. */
export function slowestOf(count: number, of: Latency): number {
  const chance = createChance(1)
  const slowest = () => Math.max(...Array.from({ length: count }, () => latency(chance, of)))
  return Array.from({ length: DRAWS }, slowest).reduce((sum, time) => sum + time, 0) / DRAWS
}
