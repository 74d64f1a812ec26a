// What the ledger and the gauges count, in two ways: from counters that the database keeps with every change, at no cost
// however much there is, for a gateway at work; and from the rows themselves, which is slow among a million, works on
// the tables of every version, and proves the counters.
import { RECIPIENT_STATES, type RecipientState } from '../mail/record.ts'
import { NOT_HELD } from './migration-2-sqlite.ts'
import type { Reader } from './reader-sqlite.ts'
import type { DeferralTally, RecordStore, RecordTally } from './record-store.ts'
import { FINAL, OPEN } from './schema-sqlite.ts'
import type { SqlRow } from './writer-thread-sqlite.ts'

type Tallies = Pick<RecordStore, 'tally' | 'tallyDeferrals'>

/** By the counters. Who is queued is counted: a worker has them soon, so they are few. */
export function createTallies(reader: Reader): Tallies {
  return {
    async tally() {
      const queued = `SELECT 'queued' AS name, count(*) AS recipients FROM recipients WHERE ${OPEN} AND state = 'queued'`
      return tallyOf(reader.all(`SELECT name, recipients FROM totals UNION ALL ${queued}`))
    },
    async tallyDeferrals() {
      return deferralTallyOf(
        reader.get(
          `SELECT deferrals, recipients, (SELECT min(accepted_at) FROM deferrals WHERE ${NOT_HELD}) AS oldest
           FROM deferral_totals`,
        ),
      )
    },
  }
}

/** By the rows that are there. What has ended is counted when it ends, for its rows go some day. */
export function createRowTallies(reader: Reader): Tallies {
  return {
    async tally() {
      return tallyOf([
        ...reader.all(
          `SELECT name, recipients FROM totals WHERE name = 'accepted' OR ${FINAL.replace('state', 'name')}`,
        ),
        ...reader.all(`SELECT state AS name, count(*) AS recipients FROM recipients WHERE ${OPEN} GROUP BY state`),
      ])
    },
    async tallyDeferrals() {
      return deferralTallyOf(
        reader.get(
          `SELECT count(*) AS deferrals, coalesce(sum(recipients), 0) AS recipients, min(accepted_at) AS oldest
           FROM deferrals WHERE ${NOT_HELD}`,
        ),
      )
    },
  }
}

function tallyOf(rows: readonly SqlRow[]): RecordTally {
  const states = Object.fromEntries(RECIPIENT_STATES.map(state => [state, 0])) as Record<RecipientState, number>
  let accepted = 0
  for (const { name, recipients } of rows) {
    if (name === 'accepted') accepted = Number(recipients)
    else states[name as RecipientState] = Number(recipients)
  }
  return { accepted, states }
}

function deferralTallyOf(row: SqlRow | undefined): DeferralTally {
  return {
    deferrals: Number(row?.deferrals),
    recipients: Number(row?.recipients),
    ...(typeof row?.oldest === 'number' && { oldestAcceptedAt: row.oldest }),
  }
}
