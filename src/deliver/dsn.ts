// Of what a sender is told, and of what not (RFC 3461, RFC 3464): outcomes in, reports that are due out. Pure.
// Nobody is told of a message that was not clean, since its sender may be forged; the null sender is told of nothing,
// or reports would be answered with reports. What may be said of a failure that was suppressed is a number in a metric.
import type { DsnOccasion, Recipient } from '../mail/envelope.ts'
import type { DsnAction, MessageRecord } from '../mail/record.ts'
import type { Outcome } from './outcome.ts'

/** What became of a recipient, as it is written down: an attempt behind the lifetime has failed. */
export type Settled = Readonly<{
  outcome: Outcome
  state: Outcome['kind']
  /** Enhanced status code (RFC 3463). */
  status: string
  /** For people: the next hop's last word, and why it was the last. */
  said: string
}>

/** One recipient in a report. */
export type DsnRecipient = Recipient & Settled

export type Due = Readonly<{ action: DsnAction; recipients: readonly DsnRecipient[] }>

export type Suppression = 'null-sender' | 'never' | 'not-clean' | 'rate' | 'report'

export type DsnDecision = Readonly<{
  /** One report each. */
  due: readonly Due[]
  /** Failures that the sender is not told of. */
  suppressed: readonly Readonly<{ reason: Suppression; recipients: readonly DsnRecipient[] }>[]
}>

const OCCASION: Record<DsnAction, DsnOccasion> = {
  failed: 'failure',
  delayed: 'delay',
  delivered: 'success',
  relayed: 'success',
}

/** `delayWarning` in milliseconds after acceptance, 0 for never; `at` in milliseconds since 1970. */
export function dueReports(
  { message, events }: MessageRecord,
  settled: readonly Settled[],
  { delayWarning, at }: Readonly<{ delayWarning: number; at: number }>,
): DsnDecision {
  const { envelope, acceptedAt } = message
  const parameters = new Map(envelope.recipients.map(recipient => [recipient.address, recipient]))
  const isLate = delayWarning > 0 && at - acceptedAt >= delayWarning
  const warned = new Set(
    events.flatMap(event => (event.event === 'reported' && event.action === 'delayed' ? event.recipients : [])),
  )
  const concerned = settled.flatMap(one => {
    const action = actionOf(one)
    const address = one.outcome.recipient
    if (action === undefined || (action === 'delayed' && (!isLate || warned.has(address)))) return []
    return [{ action, recipient: { address, ...parameters.get(address), ...one } }]
  })

  const groups = Map.groupBy(concerned, ({ action, recipient: { notify } }) => {
    const wanted = notify?.includes(OCCASION[action]) ?? (action === 'failed' || action === 'delayed')
    if (envelope.reversePath === '') return 'null-sender'
    if (!wanted) return 'never'
    return isClean(events) ? action : 'not-clean'
  })
  const due: Due[] = []
  const suppressed: { reason: Suppression; recipients: DsnRecipient[] }[] = []
  for (const [group, members] of groups) {
    if (group !== 'null-sender' && group !== 'never' && group !== 'not-clean') {
      due.push({ action: group, recipients: members.map(({ recipient }) => recipient) })
      continue
    }
    const failed = members.filter(({ action }) => action === 'failed').map(({ recipient }) => recipient)
    if (failed.length > 0) suppressed.push({ reason: group, recipients: failed })
  }
  return { due, suppressed }
}

/** Undefined where the next hop has promised to report itself (RFC 3461 §5.2.1). LMTP ends at the mailbox (RFC 2033). */
function actionOf({ state, outcome }: Settled): DsnAction | undefined {
  switch (state) {
    case 'failed':
      return 'failed'
    case 'deferred':
      return 'delayed'
    case 'delivered':
      if (outcome.dsn) return undefined
      return /^(?:maildir|lmtp):/.test(outcome.nextHop) ? 'delivered' : 'relayed'
  }
}

/** Scanned and found to be nothing bad, and never set aside for what it might be. */
export function isClean(events: MessageRecord['events']): boolean {
  const decisions = events.flatMap(event => (event.event === 'verdict' ? [event.decision] : []))
  return (
    decisions.includes('deliver') && decisions.every(one => one === 'deliver' || one === 'rescan' || one === 'hold')
  )
}
