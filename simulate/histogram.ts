// Durations in logarithmic steps of 2 %, from a tenth of a millisecond: quantiles without keeping each of a million.

export type Histogram = Readonly<{
  add(milliseconds: number): void
  count(): number
  /** Upper end of the step that holds the quantile, milliseconds; 0 when there is nothing. */
  quantile(share: number): number
}>

const LEAST = 0.1
const STEP = Math.log(1.02)

export function createHistogram(): Histogram {
  const steps: number[] = []
  let count = 0
  return {
    add(milliseconds) {
      const step = Math.max(0, Math.ceil(Math.log(Math.max(milliseconds, LEAST) / LEAST) / STEP))
      while (steps.length <= step) steps.push(0)
      steps[step] = steps[step]! + 1
      count++
    },
    count: () => count,
    quantile(share) {
      let seen = 0
      for (const [step, here] of steps.entries()) {
        seen += here
        if (here > 0 && seen >= share * count) return LEAST * Math.exp(step * STEP)
      }
      return 0
    },
  }
}
