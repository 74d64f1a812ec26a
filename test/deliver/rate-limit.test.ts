import { expect, test } from 'vitest'
import { nextTurn } from '../../src/deliver/rate-limit.ts'

/** The turns of those who ask at these times. */
function turns(rate: { amount: number; period: number }, times: readonly number[]): number[] {
  let last: number | undefined
  return times.map(now => {
    const { at, previous } = nextTurn(last, rate, now)
    last = previous
    return at
  })
}

test('a whole period at once, then evenly', () => {
  expect(turns({ amount: 3, period: 300 }, [1000, 1000, 1000, 1000, 1000])).toEqual([1000, 1000, 1000, 1100, 1200])
})

test('who was quiet has saved up a period, not more', () => {
  expect(turns({ amount: 2, period: 200 }, [0, 0, 0, 5000, 5000, 5000])).toEqual([0, 0, 100, 5000, 5000, 5100])
})

test('less than one in a period: one, then a long wait', () => {
  expect(turns({ amount: 0.5, period: 60 }, [0, 0, 0])).toEqual([0, 120, 240])
})

test('in no stretch of time more than a period’s amount and what that stretch allows', () => {
  const rate = { amount: 5, period: 1000 }
  const all = turns(
    rate,
    Array.from({ length: 200 }, (_, n) => (n % 7 === 0 ? n * 90 : n * 10)).toSorted((a, b) => a - b),
  )
  for (let from = 0; from < all.length; from++) {
    for (let to = from; to < all.length; to++) {
      expect(to - from + 1).toBeLessThanOrEqual(5 + 1e-6 + ((all[to]! - all[from]!) * 5) / 1000)
    }
  }
})
