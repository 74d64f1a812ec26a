import { beforeEach, expect, test } from 'vitest'
import { createClockWatch } from '../../src/platform/clock-watch.ts'
import { silentLog } from '../../src/platform/log.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
let wall: number
let steady: number
let watch: ReturnType<typeof createClockWatch>
beforeEach(() => {
  wall = Date.UTC(2026, 2, 29)
  steady = 1000
  watch = createClockWatch({ now: () => wall, steady: () => steady, log: silentLog })
})
/** Real time goes by; the clock is put forward or back besides. */
function pass(time: number, put = 0): boolean {
  steady += time
  wall += time + put
  return watch.believed()
}

test('a clock that runs is believed, also when it is kept right', () => {
  for (let day = 0; day < 100; day++) expect(pass(DAY, 30_000)).toBe(true)
})

test.each([HOUR, 30 * DAY])('one that was put forward by %s ms is not believed for six hours', jump => {
  expect(pass(HOUR, jump)).toBe(false)
  expect(pass(5 * HOUR)).toBe(false)
  expect(pass(HOUR)).toBe(true)
  expect(pass(HOUR)).toBe(true)
})

test('one that is put right again is believed at once', () => {
  expect(pass(HOUR, 30 * DAY)).toBe(false)
  expect(pass(HOUR, -30 * DAY)).toBe(true)
  expect(pass(HOUR)).toBe(true)
})

test.each([-HOUR, -30 * DAY])('one that was put back by %s ms is believed: nothing is too old by that', jump => {
  expect(pass(HOUR, jump)).toBe(true)
})

test('each further jump begins the time anew', () => {
  expect(pass(HOUR, DAY)).toBe(false)
  expect(pass(5 * HOUR, DAY)).toBe(false)
  expect(pass(5 * HOUR)).toBe(false)
  expect(pass(HOUR)).toBe(true)
})
