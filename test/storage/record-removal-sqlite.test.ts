import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { readLedger } from '../../src/spool/ledger.ts'
import { recordRemovalContract } from '../contract/record-removal.ts'
import { embeddedHome } from './embedded-home.ts'
import { storeMessage } from './stored-message.ts'

recordRemovalContract(embeddedHome)

const TABLES = ['messages', 'recipients', 'events']

test('a removal that breaks off has removed nothing, and the next one removes it all', async () => {
  const home = await embeddedHome()
  const backends = await home.open()
  const ids: string[] = []
  for (let n = 0; n < 3; n++) {
    const queueId = await storeMessage(backends, { acceptedAt: home.now() })
    ids.push(queueId)
    const event = { at: home.now(), event: 'operator', action: 'x', by: 'me', recipients: [] } as const
    await backends.records.note(queueId, [event], [{ recipient: 'bob@example.com', state: 'delivered' }])
    await backends.messages.remove(queueId)
  }
  const db = new DatabaseSync(join(home.dataDir, 'elemta.sqlite'))
  const rows = () => TABLES.map(table => db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.n)
  const last = ids.toSorted().at(-1)
  db.exec(`CREATE TRIGGER obstacle BEFORE DELETE ON recipients WHEN old.queue_id = '${last}'
    BEGIN SELECT raise(ABORT, 'the power is gone'); END`)
  await home.advance(1)
  await expect(backends.records.forget(home.now(), { limit: 9 })).rejects.toThrow('the power is gone')
  expect(rows()).toEqual([3, 3, 3])
  db.exec('DROP TRIGGER obstacle')
  expect(await backends.records.forget(home.now(), { limit: 9 })).toEqual({ forgotten: 3 })
  expect(rows()).toEqual([0, 0, 0])
  db.close()
  expect(await readLedger(backends)).toMatchObject({ accepted: 3, delivered: 3, imbalance: 0 })
  await backends.close()
  await home.dispose()
})

test('counters and rows say the same, whatever became of the mail', async () => {
  const home = await embeddedHome()
  const { openEmbeddedReadOnly } = await import('../../src/backends.ts')
  const backends = await home.open()
  const { records } = backends
  const [first, second] = [await storeMessage(backends), await storeMessage(backends)]
  const job = (queueId: string, recipients: string[]) =>
    ({ kind: 'delivery', id: `${queueId}/delivery/1`, queueId, recipients, attempt: 1, headers: [] }) as const
  const steps: (() => Promise<unknown>)[] = [
    () => records.note(first, [], [{ recipient: 'bob@example.com', state: 'deferred' }]),
    () => records.defer({ job: job(first, ['bob@example.com']), dueAt: 5 }),
    () => records.defer({ job: job(first, ['bob@example.com', 'eve@example.com']), dueAt: 7 }),
    () => records.defer({ job: job(second, ['bob@example.com']), dueAt: Number.MAX_SAFE_INTEGER }),
    () => records.note(second, [], [{ recipient: 'bob@example.com', state: 'held' }]),
    () => records.note(second, [], [{ recipient: 'bob@example.com', state: 'held' }]),
    () => records.defer({ job: job(first, ['bob@example.com']), dueAt: Number.MAX_SAFE_INTEGER }),
    () => records.defer({ job: job(second, ['bob@example.com']), dueAt: 9 }),
    () => records.undefer(job(second, []).id),
    () => records.note(second, [], [{ recipient: 'bob@example.com', state: 'quarantined' }]),
    () => records.note(second, [], [{ recipient: 'bob@example.com', state: 'queued' }]),
    () => records.undefer(job(first, []).id),
    () => records.undefer('nothing'),
    () => records.note(first, [], [{ recipient: 'bob@example.com', state: 'failed' }]),
    () => records.note(first, [], [{ recipient: 'bob@example.com', state: 'deferred' }]),
  ]
  for (const step of steps) {
    await step()
    const rows = await openEmbeddedReadOnly({ dataDir: home.dataDir, now: home.now })
    expect(await records.tally()).toEqual(await rows.records.tally())
    expect(await records.tallyDeferrals()).toEqual(await rows.records.tallyDeferrals())
    rows.close()
  }
  await backends.close()
  await home.dispose()
})
