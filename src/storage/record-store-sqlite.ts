// Message records and deferrals as tables of the spool's database. Writes go to the writer and are durable when they
// resolve, marks excepted; reads see everything that has resolved. Claims are kept in memory: one process owns the spool,
// and they end with it.
import type { Deferral } from '../mail/job.ts'
import type { AcceptedMessage, MessageRecord, RecipientState, RecipientStatus, TraceEvent } from '../mail/record.ts'
import { NOT_HELD } from './migration-2-sqlite.ts'
import { SCAN_DEFERRAL } from './migration-3-sqlite.ts'
import type { Reader } from './reader-sqlite.ts'
import { createRecipientLists } from './recipient-lists-sqlite.ts'
import { createRemoval } from './record-removal-sqlite.ts'
import { type Claim, ClaimLostError, type RecordStore, type Sending } from './record-store.ts'
import { createRowTallies, createTallies } from './record-tally-sqlite.ts'
import { FINAL } from './schema-sqlite.ts'
import type { Writer } from './writer-sqlite.ts'
import type { Operation } from './writer-thread-sqlite.ts'

const ADD_MESSAGE = `INSERT INTO messages (queue_id, sender, message_id, accepted_at, doc, accepted)
  VALUES (?, ?, ?, ?, ?, ?)`
const ADD_RECIPIENT = `INSERT INTO recipients (queue_id, recipient, state) VALUES (?, ?, 'queued')`
const COUNT_ACCEPTED = `UPDATE totals SET recipients = recipients + ? WHERE name = 'accepted'`
// The subquery is NULL, which the column refuses, when there is no such record.
const ADD_EVENT = `INSERT INTO events (queue_id, doc)
  VALUES ((SELECT queue_id FROM messages WHERE queue_id = ?), ?)`
const MOVE = `UPDATE recipients SET state = ?, sending = NULL
  WHERE queue_id = ? AND recipient IN (SELECT value FROM json_each(?)) AND NOT ${FINAL}`
const MARK = `UPDATE recipients SET sending = ?
  WHERE queue_id = ? AND recipient IN (SELECT value FROM json_each(?)) AND NOT ${FINAL} RETURNING recipient`
const UNMARK = `UPDATE recipients SET sending = NULL
  WHERE queue_id = ? AND recipient IN (SELECT value FROM json_each(?)) AND sending ->> '$.claimant' = ?`
const DEFER = `INSERT INTO deferrals (job_id, due_at, accepted_at, recipients, doc)
  VALUES (?, ?, (SELECT accepted_at FROM messages WHERE queue_id = ?), ?, ?)
  ON CONFLICT (job_id) DO UPDATE SET due_at = excluded.due_at, accepted_at = excluded.accepted_at,
    recipients = excluded.recipients, doc = excluded.doc`

export type RecordReader = Pick<
  RecordStore,
  'get' | 'find' | 'due' | 'deferralsOf' | 'listRecipients' | 'shape' | 'tally' | 'tallyDeferrals'
>

export function createSqliteRecordStore({ writer, reader }: { writer: Writer; reader: Reader }): RecordStore {
  const claims = new Map<string, Claim>()
  const claimOf = (queueId: string, recipient: string) => `${queueId} ${recipient}`

  return {
    ...createRecordReader(reader),
    ...createTallies(reader),
    ...createRemoval({ writer, reader }),

    async create(message, event) {
      const { queueId, acceptedAt, envelope, messageId = null } = message
      const recipients = distinctRecipients(message)
      const doc = JSON.stringify(message)
      await writer.run([
        {
          sql: ADD_MESSAGE,
          params: [queueId, envelope.reversePath, messageId, acceptedAt, doc, JSON.stringify(event)],
        },
        ...recipients.map(recipient => ({ sql: ADD_RECIPIENT, params: [queueId, recipient] })),
        { sql: COUNT_ACCEPTED, params: [recipients.length] },
      ])
    },

    async note(queueId, events, changes) {
      const operations: Operation[] = [
        ...events.map(event => ({ sql: ADD_EVENT, params: [queueId, JSON.stringify(event)] })),
        ...runsOfOneState(changes).map(({ state, recipients }) => ({
          sql: MOVE,
          params: [state, queueId, JSON.stringify(recipients)],
        })),
      ]
      await writer.run(operations)
      for (const { recipient } of changes) claims.delete(claimOf(queueId, recipient))
    },

    async claim(queueId, recipients, claim, now) {
      const rows = reader.all(`SELECT recipient, sending FROM recipients WHERE queue_id = ? AND NOT ${FINAL}`, queueId)
      const open = new Map(rows.map(({ recipient, sending }) => [String(recipient), sending]))
      const got = recipients.filter(recipient => {
        const held = claims.get(claimOf(queueId, recipient))
        const free = held === undefined || held.claimant === claim.claimant || held.until <= now
        return open.has(recipient) && free
      })
      return got.map(recipient => {
        claims.set(claimOf(queueId, recipient), claim)
        const sending = open.get(recipient)
        return { recipient, ...(typeof sending === 'string' && { sending: JSON.parse(sending) as Sending }) }
      })
    },

    async sending(queueId, recipients, mark) {
      const isHeld = (recipient: string) => claims.get(claimOf(queueId, recipient))?.claimant === mark.claimant
      if (!recipients.every(isHeld)) throw new ClaimLostError(queueId)
      const params = [JSON.stringify(mark), queueId, JSON.stringify(recipients)]
      // The commit alone outlives the process; many of them share it.
      const [marked = []] = await writer.run([{ sql: MARK, params }], { durable: false })
      if (marked.length < recipients.length || !recipients.every(isHeld)) throw new ClaimLostError(queueId)
    },

    async unmark(queueId, recipients, claimant) {
      const params = [queueId, JSON.stringify(recipients), claimant]
      await writer.run([{ sql: UNMARK, params }], { durable: false })
    },

    async defer(deferral) {
      const { job, dueAt } = deferral
      const params = [job.id, dueAt, job.queueId, job.recipients.length, JSON.stringify(deferral)]
      await writer.run([{ sql: DEFER, params }])
    },

    async undefer(jobId) {
      await writer.run([{ sql: 'DELETE FROM deferrals WHERE job_id = ?', params: [jobId] }])
    },
  }
}

/** The reading half, which needs no writer. */
export function createRecordReader(reader: Reader): RecordReader {
  function read(queueId: string): MessageRecord | undefined {
    const row = reader.get('SELECT doc, accepted FROM messages WHERE queue_id = ?', queueId)
    if (row === undefined) return undefined
    const message: AcceptedMessage = JSON.parse(String(row.doc))
    const states = new Map(
      reader
        .all('SELECT recipient, state FROM recipients WHERE queue_id = ?', queueId)
        .map(({ recipient, state }) => [String(recipient), state as RecipientState]),
    )
    const events = reader.all('SELECT doc FROM events WHERE queue_id = ? ORDER BY seq', queueId)
    return {
      message,
      recipients: distinctRecipients(message).map(recipient => ({ recipient, state: states.get(recipient)! })),
      events: [row.accepted, ...events.map(event => event.doc)].map(doc => JSON.parse(String(doc)) as TraceEvent),
    }
  }

  return {
    ...createRecipientLists(reader),
    ...createRowTallies(reader),

    async get(queueId) {
      return read(queueId)
    },

    // Queue ids sort by time, so the newest are found in the indexes without reading the rest.
    async find(query) {
      const rows =
        'messageId' in query
          ? reader.all(
              'SELECT queue_id FROM messages WHERE message_id = ? ORDER BY queue_id DESC LIMIT ?',
              query.messageId,
              query.limit,
            )
          : reader.all(
              `SELECT queue_id FROM (SELECT queue_id FROM messages WHERE sender = ?1 ORDER BY queue_id DESC LIMIT ?2)
               UNION
               SELECT queue_id FROM (SELECT DISTINCT queue_id FROM recipients
                 WHERE recipient = ?1 COLLATE NOCASE ORDER BY queue_id DESC LIMIT ?2)
               ORDER BY queue_id DESC LIMIT ?2`,
              query.address,
              query.limit,
            )
      return rows.map(row => read(String(row.queue_id))!)
    },

    async due(now, max, kind) {
      const ofKind = kind === undefined ? '' : `AND ${kind === 'scan' ? '' : 'NOT '}(${SCAN_DEFERRAL})`
      const sql = `SELECT doc FROM deferrals WHERE due_at <= ? AND ${NOT_HELD} ${ofKind} ORDER BY due_at, rowid LIMIT ?`
      return reader.all(sql, now, max).map(row => JSON.parse(String(row.doc)) as Deferral)
    },
  }
}

function distinctRecipients({ envelope }: AcceptedMessage): string[] {
  return [...new Set(envelope.recipients.map(recipient => recipient.address))]
}

/** Neighbours that move to the same state, in the order given: a later change wins over an earlier one. */
function runsOfOneState(changes: readonly RecipientStatus[]): { state: RecipientState; recipients: string[] }[] {
  const runs: { state: RecipientState; recipients: string[] }[] = []
  for (const { recipient, state } of changes) {
    const last = runs.at(-1)
    if (last?.state === state) last.recipients.push(recipient)
    else runs.push({ state, recipients: [recipient] })
  }
  return runs
}
