// The end of records: a message that has come to its end long ago goes with its recipients and events. What it counted
// stays in the tally. The message's own item goes last: a removal that breaks off leaves a record that the next one finds.
import { timePrefix } from '../mail/queue-id.ts'
import { isFinal } from '../mail/record.ts'
import { indexOf, queueIdOf, shardsOf } from './record-keys-dynamodb.ts'
import type { RecordStore } from './record-store.ts'
import { readStory } from './record-story-dynamodb.ts'
import { chunks, type Table } from './table-dynamodb.ts'

const AT_ONCE = 8

export function createRemoval({
  table,
  hasContent,
}: {
  table: Table
  hasContent: (queueId: string) => Promise<boolean>
}): Pick<RecordStore, 'forget'> {
  async function page(before: number, after: string | undefined, limit: number): Promise<string[]> {
    const range = { index: indexOf('age'), before: timePrefix(before), limit, ...(after !== undefined && { after }) }
    const shards = await Promise.all(shardsOf('age', 'message').map(partition => table.query({ ...range, partition })))
    return shards.flat().map(queueIdOf).toSorted().slice(0, limit)
  }

  async function forgetOne(queueId: string, before: number): Promise<boolean> {
    const { message, states, events, deferrals, jobs, keys } = await readStory(table, queueId)
    if (message === undefined || deferrals.length + jobs > 0 || ![...states.values()].every(isFinal)) return false
    // A message whose last recipient has come to its end says so in its last event.
    const last = events.at(-1)
    if (last !== undefined && last.at >= before) return false
    if (await hasContent(queueId)) return false
    await table.removeAll(keys.filter(({ sk }) => sk !== 'M'))
    await table.removeAll(keys.filter(({ sk }) => sk === 'M'))
    return true
  }

  return {
    async forget(before, which) {
      const ids = 'limit' in which ? await page(before, which.after, which.limit) : [which.queueId]
      let forgotten = 0
      for (const some of chunks(ids, AT_ONCE)) {
        const gone = await Promise.all(some.map(queueId => forgetOne(queueId, before)))
        forgotten += gone.filter(Boolean).length
      }
      const more = 'limit' in which && ids.length === which.limit
      return { forgotten, ...(more && { next: ids.at(-1)! }) }
    },
  }
}
