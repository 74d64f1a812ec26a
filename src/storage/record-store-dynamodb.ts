// Message records as items of a DynamoDB table: what happens to them. Reads of one message are consistent; look-ups and
// lists go by indexes and may be a moment behind. A write resolves when DynamoDB has it, rejects when that is not known,
// and may then be done again: an event is told twice at worst, and no recipient is counted twice.
// Here a message is items of its own, or is unfolded first; what is ordinary about a folded one is done elsewhere.
// Up to 97 recipients move in one transaction with what counts them. More go in several, each whole by itself: of a new
// message the last one makes the record, so one that is not finished was never there.
import { isFinal, type RecipientState, type RecipientStatus, type TraceEvent } from '../mail/record.ts'
import { createFoldedClaims } from './folded-claims-dynamodb.ts'
import { type Leases, messageItem } from './folded-item-dynamodb.ts'
import { pack } from './packed-text.ts'
import { createClaims } from './record-claims-dynamodb.ts'
import { createDeferrals } from './record-deferrals-dynamodb.ts'
import { distinctRecipients, type EventClock, present, recipientItem } from './record-items-dynamodb.ts'
import { eventKey, messageKey, recipientKey, recipientListing, recipientOf } from './record-keys-dynamodb.ts'
import { createRecipientLists } from './record-lists-dynamodb.ts'
import { findMessages } from './record-lookup-dynamodb.ts'
import { createRemoval } from './record-removal-dynamodb.ts'
import type { RecordStore } from './record-store.ts'
import { readStory, recordIn } from './record-story-dynamodb.ts'
import { type Counter, countWrite, readCounters, tallyOf } from './record-tally-dynamodb.ts'
import { chunks, type Item, MOST_WRITES, type Table, type Write } from './table-dynamodb.ts'
import type { Unfold } from './unfold-dynamodb.ts'
import type { Young } from './young-messages-dynamodb.ts'

/** Beside them are the message, events and a counter. */
const MOST_RECIPIENTS = MOST_WRITES - 3
/** Octets of events in one item, which may have 400 KiB. */
const MOST_TOLD = 300_000
/** A state read and changed by somebody else meanwhile, again and again. */
const ATTEMPTS = 20

export type RecordStoreParts = Readonly<{
  table: Table
  /** Whether the message store still has the content: such a record is not forgotten. */
  hasContent: (queueId: string) => Promise<boolean>
  unfold: Unfold
  leases: Leases
  young: Pick<Young, 'read'>
  nextEventAt: EventClock
}>

export function createDynamoRecordStore(parts: RecordStoreParts): RecordStore {
  const { table, hasContent, unfold, young, nextEventAt } = parts

  function tell(queueId: string, events: readonly TraceEvent[]): { put: Item }[] {
    return inItems(events).map(doc => ({ put: { ...eventKey(queueId, nextEventAt()), doc: pack(doc) } }))
  }

  async function statesOf(queueId: string, recipients: readonly string[]): Promise<Map<string, RecipientState>> {
    const items = await table.getAll(recipients.map(recipient => recipientKey(queueId, recipient)))
    return new Map(items.map(item => [recipientOf(item), item.state as RecipientState]))
  }

  /** One step of a note. Most recipients come from `queued`: that is tried before anything is read. */
  async function move(queueId: string, told: readonly Write[], changes: readonly RecipientStatus[]): Promise<void> {
    let states = new Map<string, RecipientState>(changes.map(({ recipient }) => [recipient, 'queued']))
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const moves = changes.flatMap(({ recipient, state: to }) => {
        const from = states.get(recipient)
        return from === undefined || isFinal(from) ? [] : [{ recipient, from, to }]
      })
      if (moves.length === 0 && told.length === 0) return
      const counts: Partial<Record<Counter, number>> = {}
      for (const { from, to } of moves) {
        counts[from] = (counts[from] ?? 0) - 1
        counts[to] = (counts[to] ?? 0) + 1
      }
      // Whoever is moved proves that there is a record.
      const record: Write[] =
        moves.length > 0 ? [] : [{ check: messageKey(queueId), condition: 'attribute_exists(#pk)' }]
      const failed = await table.transact(() => [
        ...record,
        ...told,
        ...moves.map(change => moveWrite(queueId, change)),
        ...countWrite(counts),
      ])
      if (failed.length === 0) return
      if (moves.length === 0) throw noRecord(queueId)
      states = await statesOf(
        queueId,
        changes.map(({ recipient }) => recipient),
      )
    }
    throw new Error(`the recipients of ${queueId} are moved by too many at once`)
  }

  return {
    ...createFoldedClaims(createClaims(table), parts),
    ...createDeferrals(table, unfold),
    ...createRecipientLists(table, young),
    ...createRemoval({ table, hasContent }),

    async create(message, event) {
      const { queueId } = message
      const recipients = distinctRecipients(message)
      const put = (recipient: string): Write => ({ put: recipientItem(message, recipient, 'queued') })
      const isNew = { condition: 'attribute_not_exists(#pk)' }
      const steps = chunks(recipients, MOST_RECIPIENTS)
      const last = steps.pop() ?? []
      for (const step of steps) {
        const failed = await table.transact(() => [{ check: messageKey(queueId), ...isNew }, ...step.map(put)])
        if (failed.length > 0) throw new Error(`there is a record of ${queueId} already`)
      }
      const failed = await table.transact(() => [
        { put: messageItem(message, event), ...isNew },
        ...last.map(put),
        ...countWrite({ accepted: recipients.length, queued: recipients.length }),
      ])
      if (failed.length > 0) throw new Error(`there is a record of ${queueId} already`)
    },

    async note(queueId, events, changes) {
      const told = tell(queueId, events)
      const steps = chunks(lastChanges(changes), MOST_RECIPIENTS - told.length)
      const item = steps.length > 0 ? await unfold(queueId) : await table.get(messageKey(queueId))
      const isSettled = item?.folded === 'ended'
      if (steps.length === 0 || isSettled) {
        // Between this and the next request nothing but the removal of what ended long ago could come.
        if (item === undefined && told.length > 0) throw noRecord(queueId)
        // They go with the message.
        const expiresAt = item?.expiresAt
        for (const { put } of told) await table.write({ put: expiresAt === undefined ? put : { ...put, expiresAt } })
        return
      }
      for (const [n, step] of steps.entries()) await move(queueId, n === 0 ? told : [], step)
    },

    async get(queueId) {
      return recordIn(await readStory(table, queueId))
    },

    async find(query) {
      const ids = await findMessages(table, query)
      const records = await Promise.all(ids.map(async queueId => recordIn(await readStory(table, queueId))))
      return records.filter(record => record !== undefined)
    },

    async tally() {
      const [{ count }, counted] = await Promise.all([young.read(), readCounters(table)])
      return tallyOf(count, counted)
    },
  }
}

function moveWrite(
  queueId: string,
  { recipient, from, to }: { recipient: string; from: RecipientState; to: RecipientState },
): Write {
  const listing = recipientListing(queueId, recipient, to)
  const listed = present(listing)
  // The sender is known to the item alone.
  const sets = ['#state = :to', ...Object.keys(listed).map(name => `#${name} = :${name}`)]
  if (listing.senderAt !== '') sets.push('#senderKey = #senderShard')
  const gone = Object.keys(listing).filter(name => !(name in listed))
  if (listing.senderAt === '') gone.push('senderKey')
  const removed = [...gone, 'claimant', 'until', 'sending', 'sendingBy']
  return {
    update: recipientKey(queueId, recipient),
    expression: `SET ${sets.join(', ')} REMOVE ${removed.map(name => `#${name}`).join(', ')}`,
    condition: '#state = :from',
    values: { to, from, ...listed },
  }
}

/** One change for each recipient: the last, unless an end came before it. */
function lastChanges(changes: readonly RecipientStatus[]): RecipientStatus[] {
  const last = new Map<string, RecipientState>()
  for (const { recipient, state } of changes) {
    const before = last.get(recipient)
    if (before === undefined || !isFinal(before)) last.set(recipient, state)
  }
  return [...last].map(([recipient, state]) => ({ recipient, state }))
}

/** Events as texts for items, none of them too large. */
function inItems(events: readonly TraceEvent[]): string[] {
  const items: TraceEvent[][] = []
  let room = 0
  for (const event of events) {
    const octets = Buffer.byteLength(JSON.stringify(event))
    if (octets > room) {
      items.push([])
      room = MOST_TOLD
    }
    items.at(-1)!.push(event)
    room -= octets
  }
  return items.map(item => JSON.stringify(item))
}

function noRecord(queueId: string): Error {
  return new Error(`there is no record of ${queueId}`)
}
