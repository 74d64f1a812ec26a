// Which mail goes first, as an operator wants it: kept by whatever becomes of the job, with a ledger that balances.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { HELD } from '../../src/mail/job.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { readLedger } from '../../src/spool/ledger.ts'
import { createOperations, runOperation } from '../../src/spool/operations.ts'
import type { Backends } from '../../src/storage/backends.ts'
import { untilTestEnds } from '../contract/home.ts'
import { embeddedHome } from '../storage/embedded-home.ts'
import { HOUR, storeDeferred, storeQueued } from './queued-mail.ts'

const [A, B, C] = ['a@example.com', 'b@example.com', 'c@other.example'] as const

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

async function run(name: string, input: object): Promise<unknown> {
  const parts = { backends, now: home.now, log: silentLog, metrics: createMetrics() }
  const operations = createOperations({ ...parts, alone: act => act() })
  const { status, body } = await runOperation(operations, name, input, 'carol')
  expect(status).toBe(200)
  return body
}

test('lets a queued message go first, and another one last', async () => {
  const [first, second, third] = [
    await storeQueued(backends, home, [A]),
    await storeQueued(backends, home, [B]),
    await storeQueued(backends, home, [C]),
  ]
  await run('queue/priority', { ids: [third], priority: 'high' })
  await run('queue/priority', { ids: [first], priority: 'low' })
  const leases = await backends.deliveryJobs.lease(3, untilTestEnds)
  expect(leases.map(({ job }) => job.queueId)).toEqual([third, second, first])
  const record = await backends.records.get(third)
  expect(record?.events.at(-1)).toMatchObject({
    event: 'operator',
    action: 'priority',
    by: 'carol',
    why: 'high',
  })
})

test('of deferred and held mail holds from its next attempt on, which stays when it was', async () => {
  const id = await storeDeferred(backends, home, [A, B, C])
  const due = home.now() + HOUR
  await run('queue/hold', { ids: [id], filter: { recipient: A } })
  await run('queue/priority', { ids: [id], filter: { domain: 'example.com' }, priority: 'high' })
  const deferrals = (await backends.records.deferralsOf(id)).toSorted((a, b) =>
    a.job.recipients[0]! < b.job.recipients[0]! ? -1 : 1,
  )
  expect(deferrals.map(({ job, dueAt }) => [job.recipients, job.priority, dueAt])).toEqual([
    [[A], 'high', HELD],
    [[B], 'high', due],
    [[C], undefined, due],
  ])
  const record = await backends.records.get(id)
  expect(record?.recipients.map(({ state }) => state)).toEqual(['held', 'deferred', 'deferred'])
})

test('of a scan is that of the delivery after it; a message that a verdict holds has no job to give one to', async () => {
  const id = await storeQueued(backends, home, [A], 'scan')
  await run('queue/priority', { ids: [id], priority: 'low' })
  const [lease] = await backends.scanJobs.lease(9, untilTestEnds)
  expect(lease?.job).toMatchObject({ queueId: id, recipients: [A], priority: 'low' })
  await backends.together(
    () => backends.records.note(id, [], [{ recipient: A, state: 'held' }]),
    () => backends.scanJobs.done(lease!),
  )
  expect(await run('queue/priority', { ids: [id], priority: 'high' })).toMatchObject({ messages: 0, unfit: [id] })
})
