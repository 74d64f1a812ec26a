// The books of a load: counted at both ends, so that what is lost shows.
import { expect, test } from 'vitest'
import { openBook, percentiles } from '../../local/load/account.ts'
import { answerFrom } from '../../local/load/attempt.ts'
import { type Kind, kindAt, parseMix, parseRate, parseServer } from '../../local/load/mix.ts'
import { createRandom } from '../../local/load/random.ts'
import { disagreement } from '../../local/load/received.ts'

test('an attempt that never ends is an imbalance', () => {
  const book = openBook(new Map())
  book.begin('clean', 0).answered({ code: 250, text: '250 Ok' })
  book.begin('clean', 0)
  expect(book.close()).toMatchObject({ sent: 2, accepted: 1, imbalance: 1 })
})

test('what counts as accepted, refused and not answered', () => {
  const book = openBook(new Map())
  for (const text of ['250 2.0.0 Ok', '451 4.7.1 later', '554 5.7.1 no', 'connection closed by the next hop']) {
    book.begin('clean', 0).answered(answerFrom(text))
  }
  const { accepted, refused, unanswered, imbalance } = book.close()
  expect({ accepted, refused, unanswered, imbalance }).toEqual({
    accepted: 1,
    refused: { 451: 1, 554: 1 },
    unanswered: { 'connection closed by the next hop': 1 },
    imbalance: 0,
  })
})

test('a code in words of our own', () => {
  expect(answerFrom('no login as bob: 535 5.7.8 wrong').code).toBe(535)
  expect(answerFrom('no reply within 300 ms').code).toBeUndefined()
})

test('the gateway may have received what was not answered, and nothing else', () => {
  expect(disagreement(10, 10, 0)).toBeUndefined()
  expect(disagreement(12, 10, 2)).toBeUndefined()
  expect(disagreement(9, 10, 2)).toMatch(/received 9, but 10/)
  expect(disagreement(13, 10, 2)).toMatch(/received 13, but 10/)
})

test('percentiles', () => {
  const values = Array.from({ length: 100 }, (_, n) => 100 - n)
  expect(percentiles(values)).toEqual({ p50: 51, p95: 96, p99: 100, max: 100 })
  expect(percentiles([])).toBeUndefined()
})

test('kinds come in the shares of the mix', () => {
  const random = createRandom(1)
  const mix = parseMix('clean=75,gtube=25,eicar=0')
  const counts = new Map<Kind, number>()
  for (let n = 0; n < 10_000; n++) {
    const kind = kindAt(mix, random.fraction())
    counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  expect(counts.get('clean')! / 10_000).toBeCloseTo(0.75, 1)
  expect(counts.has('eicar')).toBe(false)
})

test('rates and servers', () => {
  expect(parseRate('20/s')).toBe(20)
  expect(parseRate('300/m')).toBe(5)
  expect(parseServer('[::1]:2525', 25)).toEqual({ host: '::1', port: 2525 })
  expect(parseServer('mx.example.com', 25)).toEqual({ host: 'mx.example.com', port: 25 })
})
