import { expect, test } from 'vitest'
import { RECIPIENT_STATES, type RecipientState } from '../../src/mail/record.ts'
import { ledgerOf } from '../../src/spool/ledger.ts'
import type { QueueTally } from '../../src/storage/job-queue.ts'

const none = { jobs: 0, recipients: 0 }
const queue = (part: Partial<QueueTally> = {}): QueueTally => ({ incoming: none, active: none, dead: none, ...part })
const states = (part: Partial<Record<RecipientState, number>>) => ({
  ...(Object.fromEntries(RECIPIENT_STATES.map(state => [state, 0])) as Record<RecipientState, number>),
  ...part,
})

test('a ledger balances when every recipient has an end state or a job', () => {
  const ledger = ledgerOf(
    { accepted: 12, states: states({ delivered: 3, failed: 1, quarantined: 1, held: 1, queued: 4, deferred: 2 }) },
    { deferrals: 1, recipients: 2 },
    [
      queue({ incoming: { jobs: 1, recipients: 2 } }),
      queue({ active: { jobs: 1, recipients: 1 }, dead: { jobs: 1, recipients: 1 } }),
    ],
  )
  expect(ledger.imbalance).toBe(0)
  expect(ledger.queued).toEqual({ incoming: 2, active: 1, deferred: 2, deadLetters: 1 })
})

test('a recipient that is said to be queued but has no job is a gap', () => {
  const ledger = ledgerOf({ accepted: 1, states: states({ queued: 1 }) }, { deferrals: 0, recipients: 0 }, [queue()])
  expect(ledger.imbalance).toBe(1)
})
