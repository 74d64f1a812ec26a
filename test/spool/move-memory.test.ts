// What policies remember, and stories that have ended, from one home to another: all of it comes, nothing is doubled by doing
// it again, and what is newer at the target stays.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openEmbedded, openPolicyStore } from '../../src/backends.ts'
import { mintQueueId } from '../../src/mail/queue-id.ts'
import type { RecipientStatus, TraceEvent } from '../../src/mail/record.ts'
import { readLedger } from '../../src/spool/ledger.ts'
import { migrate } from '../../src/spool/migrate.ts'
import { copyFinished } from '../../src/spool/move-finished.ts'
import { copyMemory } from '../../src/spool/move-memory.ts'
import type { Backends } from '../../src/storage/backends.ts'
import { acceptedEvent, acceptedMessage } from '../contract/home.ts'

const NOW = 1_800_000_000_000
const now = () => NOW

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'elemta-memory-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const store = (name: string) => openPolicyStore({ dataDir: join(directory, name) })
const home = (name: string) => openEmbedded({ dataDir: join(directory, name), now })

test('every entry comes, over pages; the one that lasts longer stands; what has expired does not come', async () => {
  const [source, target] = [await store('source'), await store('target')]
  try {
    const put = (where: typeof source, space: string, key: string, by: string, lasts: number) =>
      where.update(space, key, NOW, () => ({ value: { by }, expiresAt: NOW + lasts }))
    for (let n = 0; n < 450; n++) await put(source, 'triplets', `key ${n}`, 'source', 1000)
    await put(source, 'clients', 'longer here', 'source', 2000)
    await put(target, 'clients', 'longer here', 'target', 1000)
    await put(source, 'clients', 'longer there', 'source', 1000)
    await put(target, 'clients', 'longer there', 'target', 2000)
    await put(source, 'clients', 'over', 'source', -1)
    await put(source, 'another', 'not asked for', 'source', 1000)

    const spaces = ['triplets', 'clients']
    expect(await copyMemory({ source, target, spaces, now })).toBe(451)
    expect(await target.count('triplets', NOW)).toBe(450)
    const by = async (key: string) => (await target.get('clients', key, NOW))?.value.by
    expect([await by('longer here'), await by('longer there'), await by('over')]).toEqual([
      'source',
      'target',
      undefined,
    ])
    expect(await target.count('another', NOW)).toBe(0)
    expect(await source.count('triplets', NOW)).toBe(450)
    expect(await copyMemory({ source, target, spaces, now })).toBe(0)
  } finally {
    await Promise.all([source.close(), target.close()])
  }
})

/** A story with many events, and recipients at their ends, as given. */
async function story({ records }: Pick<Backends, 'records'>, ...recipients: RecipientStatus[]): Promise<string> {
  const queueId = mintQueueId(NOW)
  await records.create(
    acceptedMessage({ queueId, recipients: recipients.map(({ recipient }) => recipient), acceptedAt: NOW }),
    acceptedEvent(NOW),
  )
  const tries = Array.from(
    { length: 50 },
    (_, n): TraceEvent => ({ at: NOW + n, event: 'operator', action: 'flush', by: 'root', recipients: [] }),
  )
  await records.note(queueId, tries, recipients)
  return queueId
}

const delivered = { recipient: 'a@example.com', state: 'delivered' } as const
const bounced = { recipient: 'b@example.com', state: 'failed' } as const
const queued = { recipient: 'c@example.com', state: 'queued' } as const

test('stories that ended come whole, once, and the ledgers of both homes balance', async () => {
  const [source, target] = [await home('source'), await home('target')]
  try {
    const over = [await story(source, delivered), await story(source, delivered, bounced)]
    const waiting = await story(source, delivered, queued)
    expect(await copyFinished({ source, target })).toEqual({ messages: 2, recipients: 3 })
    for (const queueId of over) expect(await target.records.get(queueId)).toEqual(await source.records.get(queueId))
    expect(await target.records.get(waiting)).toBeUndefined()
    expect(await copyFinished({ source, target })).toEqual({ messages: 0, recipients: 0 })
    expect(await readLedger(target)).toMatchObject({ accepted: 3, delivered: 2, failed: 1, imbalance: 0 })
  } finally {
    await Promise.all([source.close(), target.close()])
  }
})

test('broken off at any step and begun again: no event twice', async () => {
  const [source, target] = [await home('source'), await home('target')]
  try {
    const queueId = await story(source, delivered, bounced)
    let broken = 0
    for (let failAt = 1; ; failAt++) {
      let calls = 0
      const fail = <A extends unknown[]>(act: (...args: A) => Promise<void>) => {
        return async (...args: A) => {
          await act(...args)
          if (++calls === failAt) throw new Error('broken off')
        }
      }
      const { create, note } = target.records
      const records = { ...target.records, create: fail(create), note: fail(note) }
      const done = await copyFinished({ source, target: { records } }).catch(() => undefined)
      if (done !== undefined) break
      broken++
    }
    expect(broken).toBeGreaterThan(1)
    expect(await target.records.get(queueId)).toEqual(await source.records.get(queueId))
  } finally {
    await Promise.all([source.close(), target.close()])
  }
})

test('what was moved while it waited is not copied as a story that ended', async () => {
  const [source, target] = [await home('source'), await home('target')]
  try {
    const queueId = mintQueueId(NOW)
    const draft = source.messages.draft(queueId)
    await draft.write(Buffer.from('Subject: x\r\n\r\nx\r\n'))
    await draft.seal()
    await draft.commit()
    await source.records.create(
      acceptedMessage({ queueId, recipients: [queued.recipient], acceptedAt: NOW }),
      acceptedEvent(NOW),
    )
    await source.records.note(queueId, [], [{ ...queued, state: 'quarantined' }])
    const parts = { source, target, from: 'here', to: 'there', by: 'root', now, withFinished: true }
    expect(await migrate(parts)).toMatchObject({ moved: { messages: 1 }, finished: { messages: 0 } })
    expect((await target.records.get(queueId))?.recipients[0]?.state).toBe('quarantined')
  } finally {
    await Promise.all([source.close(), target.close()])
  }
})
