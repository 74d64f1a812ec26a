// What an operator does with dead letters.
import { expect, onTestFinished, test } from 'vitest'
import { silentLog } from '../../src/platform/log.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { readLedger } from '../../src/spool/ledger.ts'
import { createOperations, runOperation } from '../../src/spool/operations.ts'
import { untilTestEnds } from '../contract/home.ts'
import { embeddedHome } from '../storage/embedded-home.ts'
import { storeQueued } from './queued-mail.ts'

test('a dead letter goes back on its queue once, and says by whom', async () => {
  const home = await embeddedHome()
  const backends = await home.open()
  onTestFinished(() => backends.close().then(home.dispose))
  const parts = { backends, now: home.now, log: silentLog, metrics: createMetrics() }
  const operations = createOperations({ ...parts, alone: act => act() })
  const run = async (name: string, input: object) => (await runOperation(operations, name, input, 'carol')).body

  const recipients = ['a@example.com']
  const queueId = await storeQueued(backends, home, recipients, 'scan')
  const [lease] = await backends.scanJobs.lease(1, untilTestEnds)
  await backends.scanJobs.deadLetter(lease!, 'its worker died 5 times')

  const letter = { queueId, stage: 'scan', recipients, why: 'its worker died 5 times' }
  expect(await run('dlq/list', {})).toMatchObject({ deadLetters: [letter] })
  expect(await run('dlq/replay', {})).toMatchObject({ error: expect.stringContaining('name queue ids') })
  expect(await run('dlq/replay', { all: true, dryRun: true })).toMatchObject({ replayed: [letter] })
  const twice = await Promise.all([run('dlq/replay', { all: true }), run('dlq/replay', { ids: [queueId, 'NOTHING'] })])
  expect(twice.map(body => (body as { replayed: unknown[] }).replayed.length).toSorted()).toEqual([0, 1])
  expect(twice[1]).toMatchObject({ unknown: ['NOTHING'] })
  expect(await run('dlq/list', {})).toEqual({ deadLetters: [] })
  expect((await backends.scanJobs.lease(1, untilTestEnds))[0]).toMatchObject({ tries: 1, job: { queueId } })
  const story = (await backends.records.get(queueId))!.events
  expect(story).toContainEqual(expect.objectContaining({ event: 'operator', action: 'redrive', by: 'carol' }))
  expect(await readLedger(backends)).toMatchObject({ imbalance: 0, queued: { deadLetters: 0 } })
})
