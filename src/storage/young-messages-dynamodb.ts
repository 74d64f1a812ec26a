// Folded messages in the ledger. What a folded message counts is in no counter until a cursor has gone past it, along the
// index by age: what lies before the cursor is counted beside it, what lies behind it is read whenever the ledger is. So
// accepting and delivering count nothing, and the account balances at each read, for a message is read whole.
// The cursor goes past messages some minutes old: those that have ended are counted, in the same write that moves it, so
// exactly once; those that have not are unfolded, and counted by that. A message that gets here behind the cursor, which
// takes minutes between an id and its acceptance, is on neither side of the account; the sweep of orphans unfolds it.
import { timePrefix } from '../mail/queue-id.ts'
import { type Folded, foldedIn } from './folded-item-dynamodb.ts'
import { indexOf, messageKey, queueIdOf, shardsOf } from './record-keys-dynamodb.ts'
import { type Changes, type Counter, countedIn } from './record-tally-dynamodb.ts'
import { chunks, type Item, type Key, type Table } from './table-dynamodb.ts'
import type { Unfold } from './unfold-dynamodb.ts'

export type YoungMessages = Readonly<{
  /** What all folded messages count, and those among them that have not ended. */
  count(counter: Counter): number
  open: readonly Folded[]
}>

export type Young = Readonly<{
  /** Read once for all who ask in the same moment: what they say of it agrees. */
  read(): Promise<YoungMessages>
  /** Moves the cursor. Any number may do it beside each other. */
  settle(): Promise<void>
}>

/** Milliseconds that the cursor stays behind: more than from an id to its acceptance, and to its place in the index. */
export const CURSOR_LAG = 5 * 60_000
const PAGE = 200
const AT_ONCE = 20

type Shard = Readonly<{ partition: string; cursor: Key }>
const SHARDS: readonly Shard[] = shardsOf('age', 'message').map(partition => ({
  partition,
  cursor: { pk: `settled ${partition}`, sk: 'tally' },
}))

export function createYoung(options: Readonly<{ table: Table; unfold: Unfold; now: () => number }>): Young {
  const { table, unfold, now } = options
  /** Behind the cursor, by queue id: what they count never changes any more; nothing where they are unfolded. */
  let over = new Map<string, Changes>()
  let next: Promise<YoungMessages> | undefined

  async function readNow(): Promise<YoungMessages> {
    const cursors = await table.getAll(SHARDS.map(({ cursor }) => cursor))
    const shards = await Promise.all(SHARDS.map(shard => readShard(shard, cursors)))
    const ids = shards.flatMap(shard => shard.ids)
    over = new Map(ids.flatMap(id => (over.has(id) ? [[id, over.get(id)!]] : [])))
    const open = shards.flatMap(shard => shard.open)
    const counts = [...cursors, ...over.values(), ...open.map(countOf)]
    return { open, count: counter => counts.reduce((sum, each) => sum + countedIn(each, counter), 0) }
  }

  async function readShard({ partition, cursor }: Shard, cursors: readonly Item[]) {
    const upTo = cursors.find(({ pk }) => pk === cursor.pk)?.upTo
    const after = upTo === undefined ? {} : { after: String(upTo) }
    const entries = await table.query({ index: indexOf('age'), partition, ...after })
    const ids = entries.map(queueIdOf)
    const unknown = ids.filter(id => !over.has(id)).map(messageKey)
    const open: Folded[] = []
    for (const item of await table.getAll(unknown, { consistent: false })) {
      const folded = foldedIn(item)
      if (folded?.work !== undefined) open.push(folded)
      else over.set(queueIdOf(item), folded === undefined ? {} : countOf(folded))
    }
    return { ids, open }
  }

  async function settleShard({ partition, cursor }: Shard): Promise<void> {
    for (let more = true; more; ) {
      const from = (await table.get(cursor))?.upTo
      const after = from === undefined ? {} : { after: String(from) }
      const before = timePrefix(now() - CURSOR_LAG)
      const entries = await table.query({ index: indexOf('age'), partition, before, limit: PAGE, ...after })
      if (entries.length === 0) return
      const counts: Changes[] = []
      const items = await table.getAll(entries.map(messageOf), { consistent: false })
      const found = new Map(items.map(item => [queueIdOf(item), item]))
      for (const some of chunks(entries.map(queueIdOf), AT_ONCE)) {
        counts.push(...(await Promise.all(some.map(queueId => settleMessage(queueId, found.get(queueId))))))
      }
      more = (await moveCursor(cursor, from, queueIdOf(entries.at(-1)!), counts)) && entries.length === PAGE
    }
  }

  /** What the cursor is to count of it. `seen` may be old: only what has not ended can still change. */
  async function settleMessage(queueId: string, seen: Item | undefined): Promise<Changes> {
    const item = seen === undefined || seen.folded === 'open' ? await unfold(queueId) : seen
    const folded = item && foldedIn(item)
    return folded === undefined || folded.work !== undefined ? {} : countOf(folded)
  }

  /** False when somebody else has moved it. */
  async function moveCursor(cursor: Key, from: Item[string] | undefined, to: string, counts: readonly Changes[]) {
    const sums: Record<string, number> = {}
    for (const each of counts) for (const [name, n] of Object.entries(each)) sums[name] = (sums[name] ?? 0) + n
    const adds = Object.keys(sums).map(name => `#${name} :${name}`)
    const moved = await table.write({
      update: cursor,
      expression: `SET #upTo = :to${adds.length > 0 ? ` ADD ${adds.join(', ')}` : ''}`,
      condition: from === undefined ? 'attribute_not_exists(#upTo)' : '#upTo = :from',
      values: { ...sums, to, ...(from !== undefined && { from }) },
    })
    return moved !== undefined
  }

  return {
    read() {
      next ??= Promise.resolve().then(() => {
        next = undefined
        return readNow()
      })
      return next
    },
    async settle() {
      await Promise.all(SHARDS.map(settleShard))
    },
  }
}

const messageOf = (entry: Key) => messageKey(queueIdOf(entry))

function countOf({ states }: Folded): Changes {
  const counts: Partial<Record<Counter, number>> = { accepted: states.size }
  for (const state of states.values()) counts[state] = (counts[state] ?? 0) + 1
  return counts
}
