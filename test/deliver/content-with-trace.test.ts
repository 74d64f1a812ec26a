import fc from 'fast-check'
import { expect, test } from 'vitest'
import { contentWithTrace, headerHasUtf8 } from '../../src/deliver/content-with-trace.ts'
import { traceHeader } from '../../src/deliver/trace-headers.ts'
import { acceptedMessage, contentOf, HOSTNAME } from './messages.ts'

const trace = { message: acceptedMessage(), hostname: HOSTNAME, headers: [{ name: 'X-Spam-Flag', value: 'YES' }] }
const front = traceHeader(trace).toString('latin1')

async function delivered(text: string | Buffer, chunkSize?: number): Promise<string> {
  const octets: Buffer[] = []
  for await (const chunk of contentWithTrace(contentOf(text, chunkSize), trace)) octets.push(chunk)
  return Buffer.concat(octets).toString('latin1')
}

test('forged fields go, everything else stays in its place', async () => {
  const text = [
    'X-Spam-Flag: NO',
    'Received: from a\r\n\tby b; now',
    'x-virus-scanned : clean\r\n by nobody\r\n\tat all',
    'AUTHENTICATION-RESULTS: mx.example.com;\r\n spf=pass',
    'Authentication-Results: other.example; spf=pass',
    'Subject: X-Spam-Flag: NO',
    '',
    'X-Spam-Flag: part of the body\r\n\r\n.\r\nend',
  ].join('\r\n')
  const expected = [
    'Received: from a\r\n\tby b; now',
    'Authentication-Results: other.example; spf=pass',
    'Subject: X-Spam-Flag: NO',
    '',
    'X-Spam-Flag: part of the body\r\n\r\n.\r\nend',
  ].join('\r\n')
  for (const chunkSize of [1, 2, 7, 1000]) expect(await delivered(text, chunkSize)).toBe(front + expected)
})

test.each([
  ['nothing', ''],
  ['a body only', '\r\nHello\r\n'],
  ['a header only', 'Subject: x\r\n'],
  ['an unfinished header', 'Subject: x'],
  ['no header at all', 'Hello,\r\nthis is no header\r\n\r\nBye\r\n'],
  ['a broken header', 'Subject: x\r\nno field\r\n: nameless\r\nTo: y\r\n\r\nbody'],
  ['octets beyond ASCII', '\xff\xfe: \x80\r\n\r\n\x81\x00\r\n'],
])('%s passes unharmed', async (_, text) => {
  expect(await delivered(Buffer.from(text, 'latin1'), 3)).toBe(front + text)
})

test('a first line that continues the field above it does not become part of the verdict', async () => {
  const text = await delivered(' NO, really\r\nSubject: x\r\n\r\nbody\r\n')
  expect(text).toContain('X-Spam-Flag: YES\r\nReceived: from')
  expect(text.endsWith('+0000\r\n NO, really\r\nSubject: x\r\n\r\nbody\r\n')).toBe(true)
})

test('fields are found in a header section of any size, and the work stays linear', async () => {
  const filler = (n: number) => `X-Filler-${n}: ${'y'.repeat(1000)}\r\n\t${'z'.repeat(500)}\r\n`
  const lines = Array.from({ length: 3000 }, (_, n) => filler(n) + (n % 100 === 0 ? 'X-Virus-Status: clean\r\n' : ''))
  const body = '\r\nX-Virus-Status: body\r\n'
  const kept = lines.join('').replaceAll('X-Virus-Status: clean\r\n', '') + body
  for (const chunkSize of [1000, 65_536, 10_000_000]) {
    expect((await delivered(lines.join('') + body, chunkSize)) === front + kept).toBe(true)
  }
})

test('a single field larger than anything is kept or removed as a whole', async () => {
  const huge = `${'x'.repeat(900)}\r\n `.repeat(6000)
  expect((await delivered(`X-Spam-Huge: ${huge}end\r\nA: b\r\n\r\nbody`)) === `${front}A: b\r\n\r\nbody`).toBe(true)
  expect(
    (await delivered(`X-Huge: ${huge}end\r\nA: b\r\n\r\nbody`)) === `${front}X-Huge: ${huge}end\r\nA: b\r\n\r\nbody`,
  ).toBe(true)
})

test('whatever the content and its chunks, what is not removed keeps its octets', async () => {
  const line = fc.constantFrom(
    'A: b',
    'X-Spam-Flag: NO',
    ' folded',
    '\tmore',
    '',
    'text',
    'Received: x',
    'Return-Path: <>',
  )
  await fc.assert(
    fc.asyncProperty(fc.array(line), fc.integer({ min: 1, max: 40 }), async (lines, chunkSize) => {
      const text = lines.map(one => `${one}\r\n`).join('')
      const whole = await delivered(text)
      expect(await delivered(text, chunkSize)).toBe(whole)
      const body = text.startsWith('\r\n') ? text : text.slice(text.indexOf('\r\n\r\n') + 2)
      if (text.startsWith('\r\n') || text.includes('\r\n\r\n')) expect(whole.endsWith(body)).toBe(true)
    }),
  )
})

test.each([
  ['Subject: Grüße\r\n\r\nx', true],
  ['Subject: x\r\n\r\nGrüße', false],
  ['Subject: x', false],
])('%j has an international header: %s', async (text, expected) => {
  expect(await headerHasUtf8(contentOf(text, 4))).toBe(expected)
})
