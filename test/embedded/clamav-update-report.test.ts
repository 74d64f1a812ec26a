// freshclam's reports as it words them, and when it may run next.
import { describe, expect, test } from 'vitest'
import { afterRun, nextUpdate, readCooldown, readReport } from '../../local/embedded/clamav-update-report.ts'

const NOW = Date.parse('2026-11-22T05:00:00Z')
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const report = (code: number | null, output: string, until?: number) => readReport(code, output, until, NOW)

describe('a report', () => {
  test('nothing newer', () => {
    const output = `daily.cvd database is up-to-date (version: 27345, sigs: 2075000, f-level: 90, builder: x)
main.cvd database is up-to-date (version: 62, sigs: 6647427, f-level: 90, builder: x)`
    expect(report(0, output)).toEqual({ kind: 'current' })
  })

  test('something newer', () => {
    const output = `Database test passed.
daily.cld updated (version: 27346, sigs: 2075100, f-level: 90, builder: x)
main.cvd database is up-to-date (version: 62, sigs: 6647427, f-level: 90, builder: x)`
    expect(report(0, output)).toEqual({ kind: 'updated', databases: ['daily.cld'] })
  })

  test('a cool-down that it prints counts, though it ends with 0', () => {
    const output = 'WARNING: You are still on cool-down until after: 2026-11-22 06:56:14'
    expect(report(0, output)).toEqual({ kind: 'cool-down', until: Date.parse('2026-11-22T06:56:14Z') })
  })

  test('a cool-down that it only notes counts as well; one that is over does not', () => {
    expect(report(11, 'ERROR: Update failed.', NOW + HOUR)).toEqual({ kind: 'cool-down', until: NOW + HOUR })
    expect(report(11, 'ERROR: Update failed.', NOW - HOUR)).toEqual({ kind: 'failed', why: 'Update failed' })
  })

  test('a database that could not be fetched is a failure, though it ends with 0', () => {
    const output = `ERROR: Can't download own.ndb from http://127.0.0.1/own.ndb
daily.cvd database is up-to-date (version: 27345, sigs: 2075000, f-level: 90, builder: x)`
    expect(report(0, output)).toMatchObject({ kind: 'failed', why: expect.stringContaining('own.ndb') })
  })

  test('no words at all are a failure', () => {
    expect(report(null, '')).toEqual({ kind: 'failed', why: 'ended with a signal' })
    expect(report(0, '')).toEqual({ kind: 'failed', why: 'ended with exit code 0' })
  })

  test('anything but a freshclam.dat that we know is no cool-down', () => {
    for (const octets of [
      Buffer.alloc(0),
      Buffer.alloc(90),
      Buffer.from('FreshClamData\x02'.padEnd(90, '\xff'), 'latin1'),
    ]) {
      expect(readCooldown(octets)).toBeUndefined()
    }
  })
})

describe('the next run', () => {
  const next = (history: Parameters<typeof nextUpdate>[0]) => nextUpdate(history, 2 * HOUR, 0)

  test('is at once the first time, then after the interval', () => {
    expect(next({ failures: 0 })).toBe(0)
    expect(next(afterRun({ failures: 3 }, { kind: 'current' }, NOW))).toBe(NOW + 2 * HOUR)
  })

  test('comes later and later after failures, up to the interval', () => {
    let history = afterRun({ failures: 0 }, { kind: 'current' }, NOW)
    const waits = Array.from({ length: 7 }, () => {
      history = afterRun(history, { kind: 'failed', why: 'x' }, NOW)
      return (next(history) - NOW) / MINUTE
    })
    expect(waits).toEqual([5, 10, 20, 40, 80, 120, 120])
    expect(history.succeededAt).toBe(NOW)
  })

  test('waits for the end of a cool-down', () => {
    const history = afterRun({ failures: 1 }, { kind: 'cool-down', until: NOW + 24 * HOUR }, NOW)
    expect(next(history)).toBeGreaterThan(NOW + 24 * HOUR)
    expect(next(afterRun(history, { kind: 'current' }, NOW + 25 * HOUR))).toBe(NOW + 27 * HOUR)
  })

  test('is spread, so that many gateways do not come together', () => {
    expect(nextUpdate({ attemptedAt: NOW, failures: 0 }, 2 * HOUR, 1)).toBe(NOW + 2 * HOUR + 12 * MINUTE)
  })
})
