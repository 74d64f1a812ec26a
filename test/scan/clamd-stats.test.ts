// clamd's answer to STATS, as its versions and C libraries give it.
import { expect, test } from 'vitest'
import { readStats } from '../../src/scan/clamd-stats.ts'

const MEBIBYTE = 1024 * 1024

const stats = (memory: string, pools = ['live 1  idle 0 max 10 idle-timeout 30\nQUEUE: 0 items']) =>
  [
    `POOLS: ${pools.length}\n\n`,
    ...pools.map(pool => `STATE: VALID PRIMARY\nTHREADS: ${pool}\n\tSTATS 0.000002 \n\n`),
    `MEMSTATS: ${memory}\nEND`,
  ].join('')

test('threads, queue and memory', () => {
  const memory =
    'heap 9.082M mmap 0.129M used 6.902M free 2.184M releasable 0.129M pools 1 pools_used 565.979M pools_total 566.025M'
  expect(readStats(stats(memory, ['live 3  idle 2 max 12 idle-timeout 30\nQUEUE: 7 items']))).toEqual({
    threads: { live: 3, idle: 2, max: 12 },
    queued: 7,
    memory: {
      heap: 9.082 * MEBIBYTE,
      mmap: 0.129 * MEBIBYTE,
      used: 6.902 * MEBIBYTE,
      free: 2.184 * MEBIBYTE,
      releasable: 0.129 * MEBIBYTE,
      pools_used: 565.979 * MEBIBYTE,
      pools_total: 566.025 * MEBIBYTE,
    },
  })
})

test('what its C library does not tell is absent, not zero', () => {
  const memory = 'heap N/A mmap N/A used N/A free N/A releasable N/A pools 1 pools_used 5.886M pools_total 5.968M'
  expect(readStats(stats(memory))?.memory).toEqual({ pools_used: 5.886 * MEBIBYTE, pools_total: 5.968 * MEBIBYTE })
})

test('several pools are told together', () => {
  const pools = [
    'live 1  idle 0 max 10 idle-timeout 30\nQUEUE: 2 items',
    'live 4 idle 3 max 5 idle-timeout 30\nQUEUE: 1 items',
  ]
  expect(readStats(stats('heap N/A', pools))).toEqual({ threads: { live: 5, idle: 3, max: 15 }, queued: 3, memory: {} })
})

test.each(['', 'PONG', 'UNKNOWN COMMAND', 'POOLS: 1\n\nSTATE: VALID PRIMARY\nTHREADS: live 1', 'POOLS: many\nEND'])(
  '%j is no answer to STATS',
  reply => {
    expect(readStats(reply)).toBeUndefined()
  },
)
