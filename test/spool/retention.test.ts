// Stories of messages that have ended are forgotten after a time; whatever else is in the spool is not touched.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { silentLog } from '../../src/platform/log.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { startUpkeep } from '../../src/spool/expiry.ts'
import { readLedger } from '../../src/spool/ledger.ts'
import { forgetFinished } from '../../src/spool/retention.ts'
import type { Backends } from '../../src/storage/backends.ts'
import { embeddedHome } from '../storage/embedded-home.ts'
import { storeMessage } from '../storage/stored-message.ts'
import { storeDeferred, storeQueued } from './queued-mail.ts'

const A = 'a@example.com'
const DAY = 24 * 3_600_000

let home: Awaited<ReturnType<typeof embeddedHome>>
let backends: Backends
beforeEach(async () => {
  home = await embeddedHome()
  backends = await home.open()
})
afterEach(async () => {
  expect(await readLedger(backends)).toMatchObject({ imbalance: 0 })
  await backends.close()
  await home.dispose()
})

const isThere = async (queueId: string) => (await backends.records.get(queueId)) !== undefined
const forget = (keep: number, after?: string) =>
  forgetFinished({ backends, now: home.now, log: silentLog, keep }, after)

async function delivered(): Promise<string> {
  await home.advance(1)
  const queueId = await storeMessage(backends, { recipients: [A], acceptedAt: home.now() })
  const event = { at: home.now(), event: 'delivered', recipient: A, nextHop: 'x', reply: '250 ok', seconds: 1 } as const
  await backends.together(
    () => backends.records.note(queueId, [event], [{ recipient: A, state: 'delivered' }]),
    () => backends.messages.remove(queueId),
  )
  return queueId
}

test('what ended long ago is forgotten; what is in the queue is not, and the ledger knows of both', async () => {
  const open = [await storeDeferred(backends, home, [A]), await storeQueued(backends, home, [A])]
  const old = await delivered()
  await home.advance(20 * DAY)
  const recent = await delivered()
  await home.advance(11 * DAY)
  await forget(30 * DAY)
  expect(await isThere(old)).toBe(false)
  for (const queueId of [...open, recent]) expect(await isThere(queueId)).toBe(true)
  expect(await readLedger(backends)).toMatchObject({ accepted: 4, delivered: 2, imbalance: 0 })
})

test('more than a batch goes in one pass; 0 keeps them for ever', async () => {
  const ids: string[] = []
  for (let n = 0; n < 230; n++) ids.push(await delivered())
  await home.advance(DAY)
  await forget(0)
  expect(await isThere(ids[0]!)).toBe(true)
  expect(await forget(1000)).toBeUndefined()
  expect((await Promise.all(ids.map(isThere))).filter(Boolean)).toEqual([])
})

test('the upkeep does it by itself, as long as the setting says then', async () => {
  const queueId = await delivered()
  await home.advance(DAY)
  let records = 2 * DAY
  const parts = { backends, now: home.now, log: silentLog, metrics: createMetrics(), alone: <T>(act: () => T) => act() }
  const upkeep = startUpkeep({ ...parts, keep: () => ({ quarantine: 0, records }) }, 10)
  const other = await delivered()
  expect(await isThere(queueId)).toBe(true)
  records = DAY / 2
  await expect.poll(() => isThere(queueId), { interval: 5 }).toBe(false)
  expect(await isThere(other)).toBe(true)
  await upkeep.stop()
})
