import { expect, test } from 'vitest'
import { fanOut } from '../../src/scan/fan-out.ts'
import type { Content } from '../../src/storage/message-store.ts'
import { stored } from './messages.ts'

const OCTETS = Buffer.from('0123456789'.repeat(100))

async function readAll(chunks: Buffer | AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = []
  for await (const chunk of chunks as AsyncIterable<Buffer>) parts.push(chunk)
  return Buffer.concat(parts).toString()
}

async function readOne(chunks: Buffer | AsyncIterable<Buffer>): Promise<void> {
  for await (const _ of chunks as AsyncIterable<Buffer>) return
}

test('who starts over gets everything again, and the other what it would have got', async () => {
  const { branches, done } = fanOut(stored(OCTETS, 100), 2)
  const startsOver = async () => {
    await readOne(branches[0]!.content.chunks())
    return readAll(branches[0]!.content.chunks())
  }
  const found = await Promise.all([startsOver(), readAll(branches[1]!.content.chunks())])
  expect(found).toEqual([OCTETS.toString(), OCTETS.toString()])
  for (const branch of branches) branch.leave()
  await done()
})

test('when all have left, the reading ends and what was open is closed', async () => {
  let chunks = 0
  let closed = false
  const endless: Content = {
    size: Number.MAX_SAFE_INTEGER,
    async *chunks() {
      try {
        for (;;) {
          chunks++
          yield OCTETS
        }
      } finally {
        closed = true
      }
    },
  }
  const { branches, done } = fanOut(endless, 2)
  branches[1]!.leave()
  await readOne(branches[0]!.content.chunks())
  branches[0]!.leave()
  await done()
  expect(closed).toBe(true)
  expect(chunks).toBeLessThan(5)
})

test('a content that fails only who reads it alone is told', async () => {
  let readings = 0
  const content: Content = {
    size: OCTETS.length,
    async *chunks() {
      if (++readings > 1) throw new Error('the disk is gone')
      yield OCTETS
    },
  }
  const { branches, done } = fanOut(content, 1)
  await readOne(branches[0]!.content.chunks())
  await expect(readAll(branches[0]!.content.chunks())).rejects.toThrow('the disk is gone')
  branches[0]!.leave()
  await expect(done()).rejects.toThrow('the disk is gone')
})
