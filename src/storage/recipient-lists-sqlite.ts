// Lists of recipients that are not at their end, for operators, from the tables of the spool's database. A page costs
// what is on it, not what is in the spool: each way of asking has an index that has the rows in the order of the pages.
// Queue ids sort by time, so the oldest message comes first, and a page ends where the next one begins.
import type { Deferral } from '../mail/job.ts'
import { timePrefix } from '../mail/queue-id.ts'
import type { AcceptedMessage, RecipientState, TraceEvent } from '../mail/record.ts'
import { isFinal } from '../mail/record.ts'
import { DOMAIN, WAITING } from './migration-2-sqlite.ts'
import type { Reader } from './reader-sqlite.ts'
import { reasonFor } from './recipient-reason.ts'
import type { ListedRecipient, RecipientFilter, RecordStore } from './record-store.ts'
import { OPEN } from './schema-sqlite.ts'
import type { SqlRow, SqlValue } from './writer-thread-sqlite.ts'

type Lists = Pick<RecordStore, 'deferralsOf' | 'listRecipients' | 'shape'>

export function createRecipientLists(reader: Reader): Lists {
  function deferralsOf(queueId: string): Deferral[] {
    return reader
      .all(`SELECT doc FROM deferrals WHERE job_id > ? || '/' AND job_id < ? || '0'`, queueId, queueId)
      .map(row => JSON.parse(String(row.doc)) as Deferral)
  }

  return {
    async deferralsOf(queueId) {
      return deferralsOf(queueId)
    },

    async listRecipients(filter, { after, limit }) {
      const oldest = oldestOf(reader, filter.states)
      const pages = sources(filter).map(source => page(reader, source, filter, { after, limit, oldest }))
      const rows = pages
        .flat()
        .toSorted((a, b) => order(cursorOf(a), cursorOf(b)))
        .slice(0, limit)
      const told = new Map<string, Told>()
      const recipients = rows.map(row => listed(row, told, deferralsOf, queueId => storyOf(reader, queueId)))
      return { recipients, ...(rows.length === limit && { next: cursorOf(rows.at(-1)!) }) }
    },

    async shape(states, edges, most) {
      const columns = edges.map((_, n) => `, sum(queue_id >= ?) AS since${n}`).join('')
      const params = edges.map(timePrefix)
      const shapes = new Map<string, number[]>()
      // By itself each of these is one walk along an index, without sorting.
      for (const part of [WAITING, `${OPEN} AND state = 'queued'`]) {
        const sql = `SELECT ${DOMAIN} AS domain, count(*) AS n${columns} FROM recipients
          WHERE ${part} AND ${among(states)} GROUP BY 1`
        for (const { domain, n, ...row } of reader.all(sql, ...params)) {
          const since = [...edges.map((_, edge) => Number(row[`since${edge}`])), Number(n)]
          const before = shapes.get(String(domain)) ?? []
          shapes.set(
            String(domain),
            since.map((count, edge) => count - (since[edge - 1] ?? 0) + (before[edge] ?? 0)),
          )
        }
      }
      const sum = (counts: readonly number[]) => counts.reduce((total, n) => total + n, 0)
      return [...shapes]
        .map(([domain, counts]) => ({ domain, counts }))
        .toSorted((a, b) => sum(b.counts) - sum(a.counts))
        .slice(0, most)
    },
  }
}

const among = (states: readonly RecipientState[]) => `state IN (${states.map(state => `'${state}'`).join(', ')})`

/** A query whose rows come in the order of queue id and recipient, from one index. */
type Source = Readonly<{ where: string; params: readonly SqlValue[]; bySender?: true }>

function sources({ states, queueId, domain, recipient, sender }: RecipientFilter): Source[] {
  if (queueId !== undefined) {
    return [{ where: `recipients.queue_id = ? AND ${among(states)}`, params: [queueId] }]
  }
  if (recipient !== undefined) {
    return [{ where: `recipient = ? COLLATE NOCASE AND ${among(states)}`, params: [recipient] }]
  }
  // Few are queued for long; those that wait may be a million, and have an index of their own.
  const waiting = states.filter(state => !isFinal(state) && state !== 'queued')
  if (domain !== undefined && waiting.length > 0) {
    const others = states.filter(state => !waiting.includes(state))
    const where = `${DOMAIN} = ? AND ${WAITING} AND ${among(waiting)}`
    const rest = others.length > 0 ? sources({ states: others }) : []
    return [{ where, params: [domain] }, ...rest]
  }
  if (sender !== undefined) return [{ where: among(states), params: [], bySender: true }]
  return states.map(state => ({ where: `${isFinal(state) ? '' : `${OPEN} AND `}state = ?`, params: [state] }))
}

type Place = Readonly<{ after: string | undefined; limit: number; oldest: string }>

function page(reader: Reader, source: Source, filter: RecipientFilter, { after, limit, oldest }: Place): SqlRow[] {
  const { domain, sender, recipient, before } = filter
  const [id = oldest, address = ''] = after === undefined ? [] : splitCursor(after)
  const more: [string, SqlValue][] = []
  if (domain !== undefined && !source.where.startsWith(DOMAIN)) more.push([`${DOMAIN} = ?`, domain])
  if (recipient !== undefined) more.push(['recipient = ? COLLATE NOCASE', recipient])
  if (sender !== undefined) more.push(['sender = ?', sender])
  if (before !== undefined) more.push(['recipients.queue_id < ?', timePrefix(before)], ['accepted_at < ?', before])
  // CROSS JOIN keeps SQLite from beginning with the other table.
  const tables = source.bySender ? 'messages CROSS JOIN recipients' : 'recipients CROSS JOIN messages'
  const key = source.bySender ? 'messages.queue_id' : 'recipients.queue_id'
  const sql = `SELECT recipients.queue_id, recipient, state, sender, accepted_at, doc FROM ${tables}
    WHERE messages.queue_id = recipients.queue_id AND ${source.where} ${more.map(([term]) => `AND ${term}`).join(' ')}
      AND ${key} >= ? AND (recipients.queue_id, recipient) > (?, ?)
    ORDER BY ${key}, recipient LIMIT ?`
  return reader.all(sql, ...source.params, ...more.map(([, value]) => value), id, id, address, limit)
}

/** What can be listed is no older than this: it spares the walk through years of mail that has come to its end. */
function oldestOf(reader: Reader, states: readonly RecipientState[]): string {
  if (states.some(isFinal)) return ''
  const ids = states.map(state =>
    reader.get(`SELECT min(queue_id) AS id FROM recipients WHERE ${OPEN} AND state = ?`, state),
  )
  const found = ids.flatMap(row => (typeof row?.id === 'string' ? [row.id] : []))
  return found.toSorted()[0] ?? ''
}

const cursorOf = (row: SqlRow) => `${row.queue_id} ${row.recipient}`
const splitCursor = (cursor: string) => [cursor.split(' ', 1)[0]!, cursor.slice(cursor.indexOf(' ') + 1)] as const

function order(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

type Told = Readonly<{ deferrals: readonly Deferral[]; events: readonly TraceEvent[]; message: AcceptedMessage }>

function listed(
  row: SqlRow,
  seen: Map<string, Told>,
  deferralsOf: (queueId: string) => Deferral[],
  storyOf: (queueId: string) => TraceEvent[],
): ListedRecipient {
  const queueId = String(row.queue_id)
  const recipient = String(row.recipient)
  let told = seen.get(queueId)
  if (told === undefined) {
    const message = JSON.parse(String(row.doc)) as AcceptedMessage
    told = { deferrals: deferralsOf(queueId), events: storyOf(queueId), message }
    seen.set(queueId, told)
  }
  const deferral = told.deferrals.find(({ job }) => job.recipients.includes(recipient))
  return {
    queueId,
    recipient,
    state: row.state as RecipientState,
    sender: String(row.sender),
    acceptedAt: Number(row.accepted_at),
    size: told.message.size,
    ...(deferral && { dueAt: deferral.dueAt, attempt: deferral.job.attempt }),
    ...reasonFor(told.events, recipient),
  }
}

function storyOf(reader: Reader, queueId: string): TraceEvent[] {
  return reader
    .all('SELECT doc FROM events WHERE queue_id = ? ORDER BY seq', queueId)
    .map(row => JSON.parse(String(row.doc)) as TraceEvent)
}
