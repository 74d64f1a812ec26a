// A spool that an older version has left: brought up to date whole, with the mail in it.
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openEmbedded, openEmbeddedReadOnly } from '../../src/backends.ts'
import { mintQueueId } from '../../src/mail/queue-id.ts'
import { readLedger } from '../../src/spool/ledger.ts'
import { createDatabase, migrateDatabase } from '../../src/storage/schema-sqlite.ts'
import { acceptedEvent, acceptedMessage, deliveryJob, untilTestEnds } from '../contract/home.ts'
import { temporaryDirectory } from './embedded-home.ts'

const AT = 1_700_000_000_000
const queueId = mintQueueId(AT)
const [deferred, held] = ['a@example.com', 'b@example.com']

let directory: string
let dataDir: string
beforeEach(async () => {
  directory = await temporaryDirectory()
  dataDir = join(directory, 'data')
  mkdirSync(dataDir, { mode: 0o700 })
})
afterEach(() => rmSync(directory, { recursive: true }))

/** As an older version has written it: one recipient deferred, one held by a verdict. */
function spoolOfVersion(version: 1 | 2): DatabaseSync {
  const db = new DatabaseSync(join(dataDir, 'elemta.sqlite'))
  db.exec(`PRAGMA journal_mode = WAL; BEGIN; ${readFileSync(`test/storage/schema-${version}.sql`, 'utf8')}; COMMIT`)
  const message = JSON.stringify(acceptedMessage({ queueId, recipients: [deferred, held] }))
  db.prepare('INSERT INTO messages VALUES (?, ?, NULL, ?, ?, ?)').run(
    queueId,
    'sender@example.org',
    AT,
    message,
    JSON.stringify(acceptedEvent()),
  )
  db.prepare('INSERT INTO recipients VALUES (?, ?, ?), (?, ?, ?)').run(
    queueId,
    deferred,
    'deferred',
    queueId,
    held,
    'held',
  )
  db.exec(`UPDATE totals SET recipients = 2 WHERE name = 'accepted'`)
  const job = { ...deliveryJob(`${queueId}/delivery/2`, [deferred]), queueId, attempt: 2 }
  db.prepare('INSERT INTO deferrals VALUES (?, ?, ?, 1, ?)').run(job.id, AT, AT, JSON.stringify({ job, dueAt: AT }))
  return db
}

const versionOf = (db: DatabaseSync) => db.prepare('PRAGMA user_version').get()?.user_version
/** What there is, whatever its text is indented by. */
const tables = (db: DatabaseSync) =>
  db
    .prepare('SELECT type, name, sql FROM sqlite_schema ORDER BY name')
    .all()
    .map(({ sql, ...named }) => ({
      ...named,
      sql: String(sql)
        .replaceAll(/\s+/g, ' ')
        .replaceAll(/ ?([(),]) ?/g, '$1'),
    }))

test.each([1, 2] as const)('mail in a spool of version %i is still there, listed and accounted for', async version => {
  spoolOfVersion(version).close()
  const backends = await openEmbedded({ dataDir, now: () => AT })
  const { records } = backends
  expect((await records.due(AT, 9)).map(({ job }) => job.recipients)).toEqual([[deferred]])
  const states = ['queued', 'deferred', 'held'] as const
  const { recipients } = await records.listRecipients({ states, domain: 'example.com' }, { limit: 9 })
  expect(recipients.map(({ recipient, state }) => [recipient, state])).toEqual([
    [deferred, 'deferred'],
    [held, 'held'],
  ])
  expect(await readLedger(backends)).toMatchObject({ imbalance: 0, held: 1, queued: { deferred: 1 } })
  expect((await records.tally()).states).toMatchObject({ deferred: 1, held: 1, quarantined: 0 })
  expect(await records.tallyDeferrals()).toEqual({ deferrals: 1, recipients: 1, oldestAcceptedAt: AT })
  await backends.close()
})

test.each([1, 2] as const)('version %i has then what a new one has', version => {
  spoolOfVersion(version).close()
  migrateDatabase(join(dataDir, 'elemta.sqlite'))
  createDatabase(join(dataDir, 'new.sqlite'))
  const old = new DatabaseSync(join(dataDir, 'elemta.sqlite'))
  const fresh = new DatabaseSync(join(dataDir, 'new.sqlite'))
  expect(tables(old)).toEqual(tables(fresh))
  expect(versionOf(old)).toBe(versionOf(fresh))
  old.close()
  fresh.close()
})

test('a migration that fails leaves the old version, whole', () => {
  const db = spoolOfVersion(1)
  // What the last statement of the migration makes is there already.
  db.exec('CREATE INDEX recipients_waiting ON recipients (state)')
  const before = tables(db)
  expect(() => migrateDatabase(join(dataDir, 'elemta.sqlite'))).toThrow('recipients_waiting')
  expect(versionOf(db)).toBe(1)
  expect(tables(db)).toEqual(before)
  db.close()
})

test('jobs of version 2 are handed out', async () => {
  const db = spoolOfVersion(2)
  const job = deliveryJob(`${queueId}/delivery/1`, [deferred])
  const insert = 'INSERT INTO delivery_jobs (id, enqueued_at, visible_at, recipients, doc) VALUES (?, ?, ?, 1, ?)'
  db.prepare(insert).run(job.id, AT, AT, JSON.stringify(job))
  db.close()
  const backends = await openEmbedded({ dataDir, now: () => AT })
  const [lease] = await backends.deliveryJobs.lease(9, untilTestEnds)
  expect(lease?.job).toEqual(job)
  await backends.close()
})

test('commands that only read do so before the migration, too', async () => {
  spoolOfVersion(1).close()
  const reader = await openEmbeddedReadOnly({ dataDir, now: () => AT })
  expect(await readLedger(reader)).toMatchObject({ imbalance: 0 })
  const { recipients } = await reader.records.listRecipients({ states: ['held'] }, { limit: 9 })
  expect(recipients.map(({ recipient }) => recipient)).toEqual([held])
  reader.close()
})
