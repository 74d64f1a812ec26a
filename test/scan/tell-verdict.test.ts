// What the log says of a verdict: short for mail that goes on, with everything about whose it is for mail that does not.
import { Writable } from 'node:stream'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import type { RecipientState } from '../../src/mail/record.ts'
import type { Decision } from '../../src/mail/verdict.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { tellVerdict } from '../../src/scan/tell-verdict.ts'
import { acceptedMessage } from '../contract/home.ts'

const recipients = ['bob@example.com']
const message = acceptedMessage({ queueId: '1M80HT5YFS3VRDMGAYVQ', recipients })

function told(decision: Decision, state: RecipientState, logClean = false) {
  const lines: Record<string, unknown>[] = []
  const written = new Writable({
    write(line, _encoding, done) {
      lines.push(JSON.parse(String(line)))
      done()
    },
  })
  const log = pino({ messageKey: 'event' }, written)
  const scanned = { message, recipients, state, findings: [], seconds: 0.1, at: message.acceptedAt + 1500 }
  tellVerdict({ decision, why: 'because', headers: [] }, scanned, { log, metrics: createMetrics(), logClean })
  return lines
}

test('what is delivered as it came is told on demand, what is tagged always', () => {
  expect(told('deliver', 'queued')).toEqual([])
  expect(told('deliver', 'queued', true)).toMatchObject([{ event: 'scanned', decision: 'deliver', state: 'queued' }])
  expect(told('tag', 'queued')).toMatchObject([{ event: 'scanned', decision: 'tag', why: 'because' }])
})

test('mail that is kept from its way is told with its client, its paths and its age', () => {
  const { client, envelope, queueId } = message
  const whose = { queueId, client: client.address, reversePath: envelope.reversePath, recipientAddresses: recipients }
  const quarantined = told('quarantine', 'quarantined')
  expect(quarantined).toMatchObject([{ event: 'scanned', state: 'quarantined', ...whose, delay: 1.5 }])
  expect(told('rescan', 'held')).toMatchObject([{ event: 'scanned', decision: 'rescan', state: 'held', ...whose }])
  expect(told('discard', 'discarded')).toMatchObject([
    { event: 'scanned', ...whose },
    { event: 'removed', queueId },
  ])
})
