// Jobs counted by where they stand, from the rows themselves: a walk along the index and a look at each row, half a read
// unit for a job. A lease that has run out counts nobody, so no counter could say it.
import type { Job } from '../mail/job.ts'
import type { QueueTally } from './job-queue.ts'
import { indexOf, shardsOf } from './record-keys-dynamodb.ts'
import type { Item, Table } from './table-dynamodb.ts'

export async function tallyRows(table: Table, kind: Job['kind'], now: number): Promise<QueueTally> {
  const rows = async (key: string) => {
    const shards = await Promise.all(
      shardsOf('work', key).map(async partition =>
        table.getAll(await table.query({ index: indexOf('work'), partition }), { consistent: false }),
      ),
    )
    return shards.flat()
  }
  const [open, dead] = await Promise.all([rows(`open-${kind}`), rows(`dead-${kind}`)])
  const all = new Map([...open, ...dead].map(row => [row.sk, row]))
  const alive = [...all.values()].filter(row => row.dead === false)
  const isActive = (row: Item) => row.token !== undefined && Number(row.visibleAt) > now
  const oldest = alive.reduce((least, row) => Math.min(least, Number(row.enqueuedAt)), Number.POSITIVE_INFINITY)
  return {
    incoming: sum(alive.filter(row => !isActive(row))),
    active: sum(alive.filter(isActive)),
    dead: sum([...all.values()].filter(row => row.dead === true)),
    ...(alive.length > 0 && { oldestEnqueuedAt: oldest }),
  }
}

function sum(rows: readonly Item[]): { jobs: number; recipients: number } {
  return { jobs: rows.length, recipients: rows.reduce((total, row) => total + Number(row.recipients), 0) }
}
