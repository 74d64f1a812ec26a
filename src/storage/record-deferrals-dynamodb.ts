// Deferrals: items beside the message's own, listed by due time (unless held) and by the age of their message, and counted
// in the transaction that writes them. Each writing has a tag of its own, and the next one goes by it: what is counted off
// is what was counted. Repeating a write whose answer was lost finds its own tag, or nothing, and changes nothing.
import { randomUUID } from 'node:crypto'
import { type Deferral, HELD } from '../mail/job.ts'
import { acceptanceIn } from './folded-item-dynamodb.ts'
import { deferralAge, deferralKey, dueListing, indexOf, partitionOf, shardsOf } from './record-keys-dynamodb.ts'
import type { RecordStore } from './record-store.ts'
import { countWrite, readCounters } from './record-tally-dynamodb.ts'
import type { Item, Table } from './table-dynamodb.ts'
import type { Unfold } from './unfold-dynamodb.ts'

type Deferrals = Pick<RecordStore, 'defer' | 'due' | 'undefer' | 'deferralsOf' | 'tallyDeferrals'>

const ATTEMPTS = 20

export function createDeferrals(table: Table, unfold: Unfold): Deferrals {
  /** What stands for a job is replaced by `item`, or removed. */
  async function replace(jobId: string, item: Item | undefined): Promise<void> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const before = await table.get(deferralKey(jobId))
      if (item === undefined && before === undefined) return
      const still =
        before === undefined
          ? { condition: 'attribute_not_exists(#pk)' }
          : { condition: '#tag = :before', values: { before: before.tag! } }
      const failed = await table.transact(() => [
        item === undefined ? { remove: deferralKey(jobId), ...still } : { put: item, ...still },
        ...countWrite({
          deferrals: counted(item).deferrals - counted(before).deferrals,
          deferredRecipients: counted(item).recipients - counted(before).recipients,
        }),
      ])
      if (failed.length === 0) return
    }
    throw new Error(`the deferral of ${jobId} is changed by too many at once`)
  }

  return {
    async defer(deferral) {
      const { job, dueAt } = deferral
      const message = await unfold(job.queueId)
      await replace(job.id, {
        ...deferralKey(job.id),
        doc: JSON.stringify(deferral),
        recipients: job.recipients.length,
        held: dueAt === HELD,
        tag: randomUUID(),
        ...(dueAt !== HELD && dueListing(job, dueAt)),
        ...(dueAt !== HELD && message && deferralAge(job.id, acceptanceIn(message).message.acceptedAt)),
      })
    },

    undefer: jobId => replace(jobId, undefined),

    async due(now, max, kind) {
      const kinds = kind === undefined ? (['scan', 'delivery'] as const) : [kind]
      const partitions = kinds.flatMap(one => shardsOf('work', `due-${one}`))
      const before = `${String(now).padStart(16, '0')}$`
      const shards = await Promise.all(
        partitions.map(partition => table.query({ index: indexOf('work'), partition, before, limit: max })),
      )
      const first = shards
        .flat()
        .toSorted((a, b) => (String(a.workAt) < String(b.workAt) ? -1 : 1))
        .slice(0, max)
      const items = new Map((await table.getAll(first)).map(item => [item.sk, item]))
      return first.flatMap(({ sk }) => {
        const item = items.get(sk)
        if (item === undefined || item.held === true) return []
        const deferral = JSON.parse(String(item.doc)) as Deferral
        return deferral.dueAt <= now ? [deferral] : []
      })
    },

    async deferralsOf(queueId) {
      const items = await table.query({ partition: partitionOf(queueId), prefix: 'D#' })
      return items.map(item => JSON.parse(String(item.doc)) as Deferral)
    },

    async tallyDeferrals() {
      const [counters, ...oldest] = await Promise.all([
        readCounters(table),
        ...shardsOf('age', 'deferral').map(partition => table.query({ index: indexOf('age'), partition, limit: 1 })),
      ])
      const first = oldest
        .flat()
        .map(({ ageAt }) => Number.parseInt(String(ageAt), 10))
        .toSorted((a, b) => a - b)
      return {
        deferrals: counters('deferrals'),
        recipients: counters('deferredRecipients'),
        ...(first.length > 0 && { oldestAcceptedAt: first[0]! }),
      }
    },
  }
}

function counted(item: Item | undefined): { deferrals: number; recipients: number } {
  if (item === undefined || item.held === true) return { deferrals: 0, recipients: 0 }
  return { deferrals: 1, recipients: Number(item.recipients) }
}
