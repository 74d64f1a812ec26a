// A flood of logins.
import { expect, test } from 'vitest'
import { createTurns } from '../../src/auth/turns.ts'

test('few work, some wait, the rest is turned away at once; a place is free again after a failure too', async () => {
  const turns = createTurns({ atOnce: 2, waiting: 3 })
  const { promise: gate, resolve: open } = Promise.withResolvers<void>()
  let working = 0
  let most = 0
  const one = (n: number) =>
    turns(async () => {
      most = Math.max(most, ++working)
      await gate
      working--
      if (n === 0) throw new Error('the first one fails')
      return n
    })
  const answers = Array.from({ length: 8 }, (_, n) => one(n))
  expect(await Promise.all(answers.slice(5))).toEqual(['full', 'full', 'full'])
  open()
  await expect(answers[0]).rejects.toThrow('the first one fails')
  expect(await Promise.all(answers.slice(1, 5))).toEqual([1, 2, 3, 4])
  expect(most).toBe(2)
  expect(await one(9)).toBe(9)
})
