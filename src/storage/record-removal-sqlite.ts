// The end of records: a message that has come to its end long ago goes with its recipients and events. Totals stay, so
// the ledger balances before, after and in between. One transaction for a batch; what still has a job, a content or a
// recipient that is open is not touched, which the statement itself sees to. Nothing is synced: a power cut may bring
// records back, and they go again.
import { timePrefix } from '../mail/queue-id.ts'
import type { Reader } from './reader-sqlite.ts'
import type { RecordStore } from './record-store.ts'
import { OPEN } from './schema-sqlite.ts'
import type { Writer } from './writer-sqlite.ts'

const LOOK = `SELECT queue_id, max(${OPEN}) AS open FROM recipients
  WHERE queue_id > ? AND queue_id < ? GROUP BY queue_id ORDER BY queue_id LIMIT ?`
const LOOK_AT_ONE = `SELECT queue_id, max(${OPEN}) AS open FROM recipients WHERE queue_id = ? GROUP BY queue_id`
const LAST_EVENT = `SELECT doc ->> '$.at' AS at FROM events WHERE queue_id = ? ORDER BY seq DESC LIMIT 1`

const NAMED = 'queue_id IN (SELECT value FROM json_each(?))'
const noJobIn = (table: string, id: string) =>
  `NOT EXISTS (SELECT 1 FROM ${table} WHERE ${id} > messages.queue_id || '/' AND ${id} < messages.queue_id || '0')`
const REMOVE = `DELETE FROM messages WHERE ${NAMED}
  AND NOT EXISTS (SELECT 1 FROM recipients WHERE recipients.queue_id = messages.queue_id AND ${OPEN})
  AND NOT EXISTS (SELECT 1 FROM contents WHERE contents.queue_id = messages.queue_id)
  AND ${noJobIn('scan_jobs', 'id')} AND ${noJobIn('delivery_jobs', 'id')} AND ${noJobIn('deferrals', 'job_id')}
  RETURNING queue_id`
const removeFrom = (table: string) => `DELETE FROM ${table} WHERE ${NAMED}
  AND NOT EXISTS (SELECT 1 FROM messages WHERE messages.queue_id = ${table}.queue_id)`
const REMOVE_EVENTS = removeFrom('events')
const REMOVE_RECIPIENTS = removeFrom('recipients')

export function createRemoval({ writer, reader }: { writer: Writer; reader: Reader }): Pick<RecordStore, 'forget'> {
  /** A message whose last recipient has come to its end says so in its last event. */
  const endedBefore = (queueId: string, before: number) => {
    const at = reader.get(LAST_EVENT, queueId)?.at
    return at === undefined || Number(at) < before
  }

  return {
    async forget(before, which) {
      const limit = 'limit' in which ? which.limit : Number.POSITIVE_INFINITY
      const rows =
        'limit' in which
          ? reader.all(LOOK, which.after ?? '', timePrefix(before), limit)
          : reader.all(LOOK_AT_ONE, which.queueId)
      const ended = rows
        .filter(({ open }) => open === 0)
        .map(({ queue_id }) => String(queue_id))
        .filter(queueId => endedBefore(queueId, before))
      const next = rows.length === limit ? { next: String(rows.at(-1)?.queue_id) } : {}
      if (ended.length === 0) return { forgotten: 0, ...next }
      const params = [JSON.stringify(ended)]
      const operations = [REMOVE, REMOVE_EVENTS, REMOVE_RECIPIENTS].map(sql => ({ sql, params }))
      const [removed = []] = await writer.run(operations, { durable: false })
      return { forgotten: removed.length, ...next }
    },
  }
}
