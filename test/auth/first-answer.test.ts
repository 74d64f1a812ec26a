// Two homes of users, of which one may be down.
import { expect, test } from 'vitest'
import type { AuthAnswer, Authenticator } from '../../src/auth/authenticator.ts'
import { firstAnswer } from '../../src/auth/first-answer.ts'

const yes: AuthAnswer = { outcome: 'success', user: 'alice' }
const no: AuthAnswer = { outcome: 'failure' }
const later: AuthAnswer = { outcome: 'unavailable', why: 'the directory is down' }

const always = (answer: AuthAnswer): Authenticator => ({ verify: async () => answer, close: async () => {} })
const ask = (...answers: AuthAnswer[]) => firstAnswer(answers.map(always)).verify('alice', 's3cret')

test('the first that knows the user decides, also when another could not be asked', async () => {
  expect(await ask(no, yes)).toEqual(yes)
  expect(await ask(later, yes)).toEqual(yes)
  expect(await ask(yes, later)).toEqual(yes)
})

test('no is only said when all say no', async () => {
  expect(await ask(no, no)).toEqual(no)
  expect(await ask(no, later)).toEqual(later)
  expect(await ask(later, no)).toEqual(later)
})

test('without anyone to ask nobody gets in', async () => {
  expect(await ask()).toEqual(no)
})

test('closing closes all', async () => {
  const closed: number[] = []
  const one = (n: number): Authenticator => ({
    ...always(no),
    close: async () => {
      closed.push(n)
    },
  })
  await firstAnswer([one(1), one(2)]).close()
  expect(closed).toEqual([1, 2])
})
