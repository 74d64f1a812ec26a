// What a canary's record, or its refusal, says about the gateway.
import { expect, test } from 'vitest'
import { judgeRecord, judgeRefusal } from '../../local/canary/judge.ts'
import type { MessageRecord, RecipientState } from '../../src/mail/record.ts'
import type { Decision, Finding } from '../../src/mail/verdict.ts'

const virus: Finding = { scanner: 'clamav', kind: 'virus', signature: 'Eicar-Test-Signature' }
const clean: Finding = { scanner: 'clamav', kind: 'clean' }
const failed: Finding = { scanner: 'clamav', kind: 'could-not-scan', failure: 'timeout', detail: 'no answer' }
const scored = (action: string): Finding => ({
  ...{ scanner: 'rspamd', kind: 'scored', score: 0, requiredScore: 15, symbols: {}, headers: [] },
  action,
})

function record(state: RecipientState, decision: Decision, ...findings: Finding[]): MessageRecord {
  const envelope = { reversePath: '', recipients: [{ address: 'a@b' }], smtputf8: false, body: '7BIT' } as const
  const client = { address: '127.0.0.1', port: 1, helo: 'a', esmtp: true }
  return {
    message: { queueId: 'Q', acceptedAt: 0, client, envelope, size: 1 },
    recipients: [{ recipient: 'a@b', state }],
    events: [
      { at: 1, event: 'accepted', reply: '250' },
      { at: 2, event: 'scanned', findings, seconds: 0.1 },
      { at: 2, event: 'verdict', decision, why: 'so' },
    ],
  }
}

test.each([
  ['clean', 'delivered', 'deliver', [clean], 'passed'],
  ['clean', 'delivered', 'tag', [failed], 'passed'],
  ['clean', 'quarantined', 'quarantine', [virus], 'wrong'],
  ['clean', 'held', 'hold', [failed], 'wrong'],
  ['clean', 'queued', 'deliver', [clean], 'waiting'],
  ['clean', 'deferred', 'rescan', [failed], 'waiting'],
  ['eicar', 'quarantined', 'quarantine', [virus], 'passed'],
  ['eicar', 'discarded', 'discard', [virus], 'passed'],
  ['eicar', 'delivered', 'tag', [virus], 'passed'],
  ['eicar', 'delivered', 'deliver', [virus], 'wrong'],
  ['eicar', 'delivered', 'deliver', [clean], 'wrong'],
  ['eicar', 'delivered', 'tag', [failed], 'wrong'],
  ['eicar', 'held', 'hold', [failed], 'wrong'],
  ['eicar', 'quarantined', 'quarantine', [clean, scored('reject')], 'wrong'],
  ['eicar', 'deferred', 'rescan', [failed], 'waiting'],
  ['gtube', 'quarantined', 'quarantine', [clean, scored('reject')], 'passed'],
  ['gtube', 'delivered', 'tag', [clean, scored('add header')], 'passed'],
  ['gtube', 'delivered', 'deliver', [clean, scored('no action')], 'wrong'],
  ['gtube', 'delivered', 'tag', [failed, scored('no action')], 'wrong'],
] as const)('%s that is %s after %s', (kind, state, decision, findings, result) => {
  expect(judgeRecord(kind, record(state, decision, ...findings)).result).toBe(result)
})

test.each([
  ['eicar', '554 5.7.1 Message refused: it contains Eicar-Test-Signature', 'passed'],
  ['gtube', '554 5.7.1 Message refused: it looks like spam', 'passed'],
  ['clean', '554 5.7.1 Message refused: it looks like spam', 'wrong'],
  ['eicar', '550 5.7.1 Relay access denied', 'wrong'],
  ['eicar', '552 5.3.4 Message is larger than 100 octets', 'wrong'],
  ['clean', '451 4.3.1 Insufficient room', 'waiting'],
  ['gtube', '', 'waiting'],
] as const)('%s that is told %s', (kind, reply, result) => {
  expect(judgeRefusal(kind, reply).result).toBe(result)
})
