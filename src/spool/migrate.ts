// Moves all mail that waits from one home to another: what is queued, deferred, held, in quarantine or a dead letter. Can be
// stopped at any moment and begun again. Stories of messages that have come to their end are copied where that is asked
// for, else they stay where they are. The account says what was in both homes before and after, and whether the numbers prove that nothing is lost and nothing is doubled.
import { isFinal, RECIPIENT_STATES } from '../mail/record.ts'
import { type Ledger, readLedger } from './ledger.ts'
import { type Copied, copyFinished } from './move-finished.ts'
import { type MoveParts, moveMessage } from './move-message.ts'

export type Account = Readonly<{
  source: Readonly<{ before: Ledger; after: Ledger }>
  target: Readonly<{ before: Ledger; after: Ledger }>
  /** `recipients` with those of the same messages that had come to their end before. */
  moved: Readonly<{ messages: number; recipients: number; open: number }>
  /** Stories that had come to their end. */
  finished: Copied
  /** Somebody works on them at the source: stop it, and begin again. */
  inWork: readonly string[]
  /** Their content is gone: they stay where they are. */
  noContent: readonly string[]
}>

const OPEN = RECIPIENT_STATES.filter(state => !isFinal(state))
const PAGE = 200
const DEAD = 100_000

export type MigrateOptions = Omit<MoveParts, 'dead'> &
  Readonly<{
    /** Stories of mail that has come to its end, too. */
    withFinished?: boolean
    onMoved?: (messages: number) => void
  }>

/** Rejects where a home fails; what was moved by then stays moved. */
export async function migrate({ onMoved, withFinished = false, ...parts }: MigrateOptions): Promise<Account> {
  const { source, target } = parts
  const before = { source: await readLedger(source), target: await readLedger(target) }
  const letters = [...(await source.scanJobs.dead(DEAD)), ...(await source.deliveryJobs.dead(DEAD))]
  const dead = new Map(letters.map(({ job, reason }) => [job.id, reason]))
  const moved = { messages: 0, recipients: 0, open: 0 }
  const [inWork, noContent]: [string[], string[]] = [[], []]
  for (let after: string | undefined; ; ) {
    const filter = { limit: PAGE, ...(after !== undefined && { after }) }
    const page = await source.records.listRecipients({ states: OPEN }, filter)
    for (const queueId of new Set(page.recipients.map(recipient => recipient.queueId))) {
      const record = await source.records.get(queueId)
      if (record === undefined || record.recipients.every(({ state }) => isFinal(state))) continue
      const result = await moveMessage(record, { ...parts, dead })
      switch (result.outcome) {
        case 'moved':
          moved.messages++
          moved.recipients += result.recipients
          moved.open += result.open
          onMoved?.(moved.messages)
          break
        case 'in-work':
          inWork.push(queueId)
          break
        case 'no-content':
          noContent.push(queueId)
          break
        default:
          result satisfies never
      }
    }
    after = page.next
    if (after === undefined) break
  }
  const finished = withFinished ? await copyFinished(parts) : { messages: 0, recipients: 0 }
  return {
    source: { before: before.source, after: await readLedger(source) },
    target: { before: before.target, after: await readLedger(target) },
    moved,
    finished,
    inWork,
    noContent,
  }
}

/** Recipients that are not at their end. */
export function openIn({ held, quarantined, queued }: Ledger): number {
  return held + quarantined + queued.incoming + queued.active + queued.deferred + queued.deadLetters
}

/** What contradicts that all is well; empty when the account proves it. */
export function faultsIn({ source, target, moved, finished, inWork, noContent }: Account): readonly string[] {
  const left = openIn(source.after)
  const came = target.after.accepted - target.before.accepted
  return [
    ...(source.after.imbalance === 0 ? [] : [`the source's ledger is out of balance by ${source.after.imbalance}`]),
    ...(target.after.imbalance === 0 ? [] : [`the target's ledger is out of balance by ${target.after.imbalance}`]),
    ...(inWork.length === 0
      ? []
      : [`${inWork.length} messages are in work at the source: stop it, and run this again`]),
    ...(noContent.length === 0 ? [] : [`${noContent.length} messages have no content: see elemta trace`]),
    ...(left === 0 || inWork.length + noContent.length > 0 ? [] : [`${left} recipients are left at the source`]),
    ...(source.before.accepted === source.after.accepted ? [] : ['the source has accepted mail meanwhile']),
    ...(openIn(source.before) - left === moved.open ? [] : ['the source has lost other recipients than were moved']),
    // Less where an earlier run had brought them already, more where a gateway accepts mail at the target.
    ...(moved.messages === 0 || came <= moved.recipients + finished.recipients
      ? []
      : ['the target has accepted other mail meanwhile']),
  ]
}
