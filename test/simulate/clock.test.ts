// Virtual time: events in their order, promises before time goes on.
import { expect, test } from 'vitest'
import { createClock } from '../../simulate/clock.ts'
import { type Process, settled, start, together } from '../../simulate/process.ts'
import { createChance } from '../../simulate/random.ts'

test('events happen at their time, those of one moment in the order in which they were planned', async () => {
  const clock = createClock()
  const chance = createChance(7)
  const planned = Array.from({ length: 500 }, (_, n) => ({ n, at: Math.floor(chance() * 50) }))
  const seen: typeof planned = []
  for (const one of planned) {
    clock.after(one.at, () => {
      expect(clock.now()).toBe(one.at)
      seen.push(one)
    })
  }
  await clock.runUntil(100)
  expect(seen).toEqual(planned.toSorted((a, b) => a.at - b.at || a.n - b.n))
  expect(clock.now()).toBe(100)
})

test('what is cancelled does not happen, and what is behind the end waits', async () => {
  const clock = createClock()
  const seen: string[] = []
  clock.cancel(clock.after(1, () => seen.push('cancelled')))
  clock.after(20, () => seen.push('later'))
  await clock.runUntil(10)
  expect(seen).toEqual([])
  await clock.runUntil(30)
  expect(seen).toEqual(['later'])
})

test('what follows from a promise belongs to the moment in which it was settled', async () => {
  const clock = createClock()
  const seen: number[] = []
  function* waits(): Process {
    const answer = Promise.withResolvers<void>()
    clock.after(5, () => {
      clock.settling()
      answer.resolve()
    })
    const chain = answer.promise.then(() => {}).then(() => {})
    yield* settled(chain)
    seen.push(clock.now())
    yield 3
    seen.push(clock.now())
  }
  start(clock, waits())
  clock.after(6, () => seen.push(clock.now()))
  await clock.runUntil(100)
  expect(seen).toEqual([5, 6, 8])
})

test('side by side takes as long as the slowest', async () => {
  const clock = createClock()
  let result: readonly (readonly number[])[] = []
  function* takes(time: number): Process<number> {
    yield time
    return time
  }
  function* all(): Process<number[]> {
    return [...(yield* together(clock, [takes(3), takes(9), takes(6)])), clock.now()]
  }
  start(clock, all(), answer => {
    result = [answer]
  })
  await clock.runUntil(100)
  expect(result).toEqual([[3, 9, 6, 9]])
})
