// The counters of the ledger: what was accepted, recipients by state, deferrals. They change in the transactions that
// change what they count. A counter is many items, of which each transaction takes one at random, so that none is hot;
// a transaction changes both sides of the account in the same one, so each item balances by itself, and so does their sum
// whenever it is read.
import { RECIPIENT_STATES, type RecipientState } from '../mail/record.ts'
import type { RecordTally } from './record-store.ts'
import type { Item, Key, Table, Write } from './table-dynamodb.ts'

const PARTS = 32
const partKey = (part: number): Key => ({ pk: `tally#${part}`, sk: 'tally' })

export type Counter = 'accepted' | RecipientState | 'deferrals' | 'deferredRecipients'
export type Changes = Readonly<Partial<Record<Counter, number>>>

/** The write for a transaction, or none where nothing changes. */
export function countWrite(changes: Changes): Write[] {
  const counters = Object.entries(changes).filter(([, by]) => by !== 0)
  if (counters.length === 0) return []
  const part = Math.floor(Math.random() * PARTS)
  const expression = `ADD ${counters.map(([name]) => `#${name} :${name}`).join(', ')}`
  return [{ update: partKey(part), expression, values: Object.fromEntries(counters) }]
}

/** Sums of the counters named. */
export async function readCounters(table: Table): Promise<(counter: Counter) => number> {
  const parts = await table.getAll(Array.from({ length: PARTS }, (_, part) => partKey(part)))
  return counter => parts.reduce((sum, part) => sum + countedIn(part, counter), 0)
}

export function countedIn(counts: Changes | Item, counter: Counter): number {
  return Number((counts as Changes)[counter] ?? 0)
}

export function tallyOf(...counts: readonly ((counter: Counter) => number)[]): RecordTally {
  const counted = (counter: Counter) => counts.reduce((sum, count) => sum + count(counter), 0)
  const states = Object.fromEntries(RECIPIENT_STATES.map(state => [state, counted(state)]))
  return { accepted: counted('accepted'), states: states as Record<RecipientState, number> }
}
