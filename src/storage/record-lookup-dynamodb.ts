// Look-ups of messages by address or message id. No index has these as keys, for each would cost a write for every
// message, and few are ever looked for: a look-up goes along the index by age, newest first, until it has found enough.
import { acceptanceIn } from './folded-item-dynamodb.ts'
import { indexOf, messageKey, queueIdOf, shardsOf } from './record-keys-dynamodb.ts'
import { fitsQuery, hashFor, MORE } from './record-look-dynamodb.ts'
import type { RecordQuery } from './record-store.ts'
import type { Item, Table } from './table-dynamodb.ts'

/** Queue ids of messages that fit, newest first. Reads the index as far back as it takes to find so many. */
export async function findMessages(table: Table, query: RecordQuery): Promise<string[]> {
  const contains = { attribute: 'look', anyOf: [hashFor(query), MORE] }

  async function confirmed(found: readonly Item[]): Promise<string[]> {
    const messages = await table.getAll(found.map(item => messageKey(queueIdOf(item))))
    return messages.filter(item => fitsQuery(acceptanceIn(item).message, query)).map(queueIdOf)
  }

  const shards = await Promise.all(
    shardsOf('age', 'message').map(async partition => {
      for (let limit = query.limit; ; limit *= 4) {
        const range = { index: indexOf('age'), partition, newestFirst: true, contains, limit }
        const found = await table.query(range)
        const ids = await confirmed(found)
        if (ids.length >= query.limit || found.length < limit) return ids
      }
    }),
  )
  return shards.flat().toSorted().toReversed().slice(0, query.limit)
}
