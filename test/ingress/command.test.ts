import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseCommand } from '../../src/ingress/command.ts'
import { policyOf } from '../../src/ingress/ingress-settings.ts'
import { answerLine, openSession } from '../../src/ingress/session.ts'
import { formatReply, type Reply } from '../../src/mail/reply.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { createChain } from '../../src/plugins/chain.ts'
import { memoryBackends } from './memory-backends.ts'

const words = fc.constantFrom(
  ...['MAIL FROM:', 'RCPT TO:', 'EHLO', 'HELO', 'DATA', 'RSET', 'NOOP', 'VRFY', 'mail from:', ' ', ' ', '<', '>', '<>'],
  ...['bob@example.com', '<bob@example.com>', 'SIZE=', 'BODY=', '8BITMIME', 'SMTPUTF8', '"', '\\', '@', ':', '=', 'a'],
  ...['ü', '\xff', '\0', '\r', '\n', '\t', '%', '9'.repeat(30), 'x'.repeat(300), '\u3002', 'xn--', '[', ']'],
)
const lines = fc.oneof(
  fc.array(words, { maxLength: 12 }).map(parts => Buffer.from(parts.join(''))),
  fc.array(words, { maxLength: 12 }).map(parts => Buffer.from(parts.join(''), 'latin1')),
  fc.uint8Array({ maxLength: 100 }).map(octets => Buffer.from(octets)),
)

describe('any line', () => {
  test('is a command or has its refusal', () => {
    fc.assert(
      fc.property(lines, line => {
        const command = parseCommand(line)
        if (command.verb === 'refused') expect(command.reply.code).toBeGreaterThanOrEqual(421)
      }),
      { numRuns: 2000 },
    )
  })

  test('gets one well-formed reply in every state of a session, and is never echoed', () => {
    const limits = {
      messageSize: 1000,
      recipients: 3,
      connections: 1,
      connectionsPerClient: 1,
      errors: 1e9,
      softErrors: 1e9,
      refusedRecipients: 1e9,
    }
    const metrics = createMetrics()
    const { shared } = policyOf({
      hostname: 'mx.example.com',
      limits,
      relay: { domains: ['example.com'], networks: [] },
      chain: createChain([], { log: silentLog, metrics }),
      bareNewline: 'normalize',
      backends: memoryBackends().backends,
      log: silentLog,
      metrics,
      now: Date.now,
    })
    const opening = ['EHLO c', 'MAIL FROM:<a@b.test> SMTPUTF8', 'RCPT TO:<bob@example.com>']
    fc.assert(
      fc.property(fc.nat({ max: 3 }), fc.array(lines, { maxLength: 5 }), (steps, said) => {
        const session = openSession(shared, { address: '192.0.2.1', port: 1234, mode: 'mx' })
        for (const line of [...opening.slice(0, steps).map(text => Buffer.from(text)), ...said]) {
          const reply = answerLine(session, line) as Reply
          expect(formatReply(reply)).toMatch(/^(?:(?:2|3|4|5)\d\d[ -][ -~]*\r\n)+$/)
          expect(reply.enhancedCode === '' || reply.enhancedCode[0] === String(reply.code)[0]).toBe(true)
        }
      }),
      { numRuns: 2000 },
    )
  })
})
