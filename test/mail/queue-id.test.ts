import { expect, test } from 'vitest'
import { isQueueId, mintQueueId } from '../../src/mail/queue-id.ts'

test('queue ids are well formed and differ, also within a millisecond', () => {
  const ids = Array.from({ length: 10_000 }, () => mintQueueId(1_790_000_000_000))
  expect(ids.every(isQueueId)).toBe(true)
  expect(new Set(ids).size).toBe(ids.length)
})

test('queue ids sort by time, across every digit', () => {
  const times = [0, 1, 31, 32, 1023, 1024, 1_700_000_000_000, 1_790_000_000_000, 1_790_000_000_001, 4_000_000_000_000]
  const ids = times.map(mintQueueId)
  expect([...ids].sort()).toEqual(ids)
})

test.each([
  '',
  '1M80H30J928A9M54N02',
  '1M80H30J928A9M54N0222',
  '1m80h30j928a9m54n022',
  '../../../etc/passwd0',
  '1M80H30J928A9M54N02I',
  '1M80H30J928A9M54N022\n',
])('%j is no queue id', text => {
  expect(isQueueId(text)).toBe(false)
})
