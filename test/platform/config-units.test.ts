// Sizes and durations as people write them, and back.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatDuration, formatSize, parseDuration, parseSize } from '../../src/platform/config-units.ts'

describe('sizes', () => {
  test.each([
    ['25MB', 26_214_400],
    ['25 mb', 26_214_400],
    ['25M', 26_214_400],
    ['25MiB', 26_214_400],
    ['1.5KB', 1536],
    ['1GB', 1_073_741_824],
    ['512B', 512],
    ['1000', 1000],
    [1000, 1000],
    [0, 0],
  ])('%s is %d octets', (written, octets) => {
    expect(parseSize(written)).toBe(octets)
  })

  test.each(['', 'MB', '25MX', '-1', -1, '1.5', '1,5MB', '25MB x', 1.5])('%s is no size', written => {
    expect(() => parseSize(written)).toThrow('expected a size such as 25MB')
  })

  test('what is written back means the same', () => {
    expect([26_214_400, 1536, 1500, 0].map(formatSize)).toEqual(['25MB', '1536B', '1500B', '0B'])
    fc.assert(fc.property(fc.nat(2 ** 40), octets => parseSize(formatSize(octets)) === octets))
  })
})

describe('durations', () => {
  test.each([
    ['500ms', 500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['1.5h', 5_400_000],
    ['5d', 432_000_000],
    ['1w', 604_800_000],
    ['0s', 0],
    ['0', 0],
    [0, 0],
  ])('%s is %d milliseconds', (written, milliseconds) => {
    expect(parseDuration(written)).toBe(milliseconds)
  })

  test('a bare number is refused, with the two things it may mean', () => {
    expect(() => parseDuration(30)).toThrow('a duration needs its unit: write 30s for seconds, 30ms for milliseconds')
    expect(() => parseDuration('30')).toThrow('write 30s for seconds')
  })

  test.each(['', 's', '5 minutes', '-5m', '5m30s', '0.1ms', 'constructor'])('%s is no duration', written => {
    expect(() => parseDuration(written)).toThrow('expected a duration such as 500ms, 30s, 5m')
  })

  test('what is written back means the same', () => {
    expect([300_000, 90_000, 1500, 432_000_000].map(formatDuration)).toEqual(['5m', '90s', '1500ms', '5d'])
    fc.assert(fc.property(fc.nat(2 ** 40), duration => parseDuration(formatDuration(duration)) === duration))
  })
})
