// What the simulation believes a step asks of DynamoDB is what the adapters ask.
import { expect, test } from 'vitest'
import { PER_MESSAGE } from '../../lib/cost/load.ts'
import { askSteps } from '../../simulate/dynamodb-steps.ts'
import { createRecordingTable } from '../../simulate/recording-table.ts'
import { shardsOf as keysOf } from '../../src/storage/record-keys-dynamodb.ts'
import { readCounters } from '../../src/storage/record-tally-dynamodb.ts'

const steps = await askSteps()

test('a message writes as many units as the bill of the emulator says', () => {
  expect(steps.ordinary.writes).toBe(PER_MESSAGE.dynamodbWrites)
})

test('the keys that many messages share have the shards that the adapters give them', async () => {
  const hot = (['accept', 'enqueue-again', 'delivered-again', 'defer', 'defer-again'] as const)
    .flatMap(name => steps.of(name))
    .flatMap(({ writes }) => writes.flatMap(({ where, hot }) => (hot === undefined ? [] : [{ where, ...hot }])))
  const shardsOf = (where: string) => [...new Set(hot.filter(one => one.where === where).map(({ shards }) => shards))]
  expect(shardsOf('work')).toEqual([keysOf('work', 'key').length])
  expect(shardsOf('age')).toEqual([keysOf('age', 'key').length])
  const { table, taken } = createRecordingTable()
  await readCounters(table)
  expect(shardsOf('table')).toEqual([taken()[0]?.readUnits])
  expect(hot.map(({ name }) => name)).toEqual(expect.arrayContaining(['message', 'open-delivery', 'due-delivery']))
})

test('the key of one message is nobody else’s', () => {
  const [accepted] = steps.of('accept')
  expect(accepted?.writes.map(({ where, hot }) => [where, hot?.name])).toEqual([
    ['table', undefined],
    ['age', 'message'],
  ])
})

test('counting the queues reads every job', () => {
  expect(steps.look.perJob).toBeGreaterThanOrEqual(0.5)
})
