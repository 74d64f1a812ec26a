import { expect, test } from 'vitest'
import { nextAttemptAt } from '../../src/mail/retry-schedule.ts'

const MINUTE = 60_000
const schedule = { delays: [MINUTE, 5 * MINUTE], lifetime: 60 * MINUTE }
const middle = () => 0.5

test('each attempt waits as the schedule says, and the last delay repeats', () => {
  const after = (attempt: number) => nextAttemptAt(schedule, { attempt, acceptedAt: 0, now: 1000 }, middle)
  expect([1, 2, 3, 9].map(after)).toEqual([1000 + MINUTE, 1000 + 5 * MINUTE, 1000 + 5 * MINUTE, 1000 + 5 * MINUTE])
})

test('what failed together is spread by a tenth of the delay to either side', () => {
  const at = (chance: number) => nextAttemptAt(schedule, { attempt: 1, acceptedAt: 0, now: 0 }, () => chance)
  expect(at(0)).toBe(0.9 * MINUTE)
  expect(at(1)).toBe(1.1 * MINUTE)
})

test('the last attempt falls on the end of the lifetime, and then there is none', () => {
  const at = (now: number) => nextAttemptAt(schedule, { attempt: 2, acceptedAt: 0, now }, middle)
  expect(at(58 * MINUTE)).toBe(60 * MINUTE)
  expect(at(60 * MINUTE)).toBeUndefined()
})
