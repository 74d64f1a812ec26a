import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createReplyParser, type NextHopReply, replyLine } from '../../src/deliver/smtp-reply-parser.ts'

const parse = (text: string, chunkSize = text.length) => {
  const push = createReplyParser()
  const octets = Buffer.from(text)
  const replies: NextHopReply[] = []
  for (let at = 0; at < octets.length; at += chunkSize) replies.push(...push(octets.subarray(at, at + chunkSize)))
  return replies
}

test('replies come out whole, however the octets come in', () => {
  const dialogue = '220 hi\r\n250-a\r\n250-b\r\n250 ç\r\n550 5.1.1 No\n354\r\n'
  const expected = [
    { code: 220, lines: ['hi'] },
    { code: 250, lines: ['a', 'b', 'ç'] },
    { code: 550, lines: ['5.1.1 No'] },
    { code: 354, lines: [''] },
  ]
  for (let size = 1; size <= dialogue.length; size++) expect(parse(dialogue, size)).toEqual(expected)
})

test.each([
  ['550-5.7.1 One\r\n550-5.7.1 two\r\n550 5.7.1 three\r\n', '550 5.7.1 One two three'],
  ['250\r\n', '250'],
  ['250 tab\tand \x1b[31mcolour\r\n', '250 tab and  [31mcolour'],
  [`250 ${'x'.repeat(3000)}\r\n`, `250 ${'x'.repeat(996)}…`],
])('%j is %j to people', (octets, expected) => {
  expect(replyLine(parse(octets)[0]!)).toBe(expected)
})

test('100 lines are a reply, 101 are not; a line of 4 KiB is one, a longer one is not', () => {
  const lines = (count: number) => `${'250-x\r\n'.repeat(count - 1)}250 x\r\n`
  expect(parse(lines(100))[0]?.lines).toHaveLength(100)
  expect(() => parse(lines(101))).toThrow('more than 100 lines')
  expect(parse(`250 ${'x'.repeat(4092)}\r\n`)).toHaveLength(1)
  expect(() => parse(`250 ${'x'.repeat(4093)}\r\n`)).toThrow('4 KiB')
  expect(() => parse('2'.repeat(5000))).toThrow('4 KiB')
})

test('any octets at all are replies or a GarbledReplyError', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array()), chunks => {
      const push = createReplyParser()
      try {
        for (const chunk of chunks) push(Buffer.from(chunk))
      } catch (error) {
        expect((error as Error).name).toBe('GarbledReplyError')
      }
    }),
  )
})
