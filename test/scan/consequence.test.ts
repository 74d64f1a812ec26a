// What a verdict leads to for the recipients of a message.
import { expect, test } from 'vitest'
import type { AcceptedMessage } from '../../src/mail/record.ts'
import type { Decision } from '../../src/mail/verdict.ts'
import { consequenceOf } from '../../src/scan/consequence.ts'

const message: AcceptedMessage = {
  queueId: 'Q1',
  acceptedAt: 1000,
  client: { address: '203.0.113.9', port: 40_000, helo: 'mail.sender.test', esmtp: true },
  envelope: {
    reversePath: 'ann@sender.test',
    smtputf8: false,
    body: '7BIT',
    recipients: [{ address: 'bob@example.com' }],
  },
  size: 100,
  tags: [{ name: 'X-Odd', value: 'yes' }],
}
const recipients = ['bob@example.com']
const decided = (decision: Decision) =>
  consequenceOf(
    { decision, why: 'because', headers: [{ name: 'X-Spam-Flag', value: 'YES' }] },
    message,
    recipients,
    2000,
  )

test.each(['deliver', 'tag'] as const)(
  '%s: to the delivery queue, the header fields of plugins before ours',
  decision => {
    expect(decided(decision)).toEqual({
      state: 'queued',
      events: [],
      delivery: {
        kind: 'delivery',
        id: 'Q1/delivery/1',
        queueId: 'Q1',
        recipients,
        attempt: 1,
        headers: [
          { name: 'X-Odd', value: 'yes' },
          { name: 'X-Spam-Flag', value: 'YES' },
        ],
      },
      removeContent: false,
    })
  },
)

test('how urgent it is goes on with it: as the job says, which an operator may have changed, else the message', () => {
  const verdict = { decision: 'deliver', why: '', headers: [] } as const
  const job = { kind: 'scan', id: 'Q1/scan/2/apart', queueId: 'Q1', recipients, attempt: 2 } as const
  const urgent = { ...message, priority: 'high' } as const
  expect(consequenceOf(verdict, urgent, recipients, 2000)?.delivery).toMatchObject({ priority: 'high' })
  const after = consequenceOf(verdict, urgent, recipients, 2000, { ...job, priority: 'low' })?.delivery
  expect(after).toMatchObject({ id: 'Q1/delivery/1/apart', priority: 'low' })
  expect(consequenceOf(verdict, urgent, recipients, 2000, job)?.delivery).not.toHaveProperty('priority')
})

test.each([
  ['quarantine', 'quarantined', false],
  ['hold', 'held', false],
  ['discard', 'discarded', true],
] as const)('%s: an end of its own, told with the reason', (decision, state, removeContent) => {
  const events = [{ at: 2000, event: state, recipients, why: 'because' }]
  expect(decided(decision)).toEqual({ state, events, removeContent })
})

test('a rescan is no end', () => {
  expect(decided('rescan')).toBeUndefined()
})
