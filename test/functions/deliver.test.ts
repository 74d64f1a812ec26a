// Delivery as a function: what a batch of messages makes of the jobs that wait, and what becomes of those that there is no
// time for. The deployment is on emulators, the next hop a server of the test.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { close, handler } from '../../functions/deliver/handler.ts'
import { readLedger } from '../../src/spool/ledger.ts'
import { type NextHop, startNextHop } from '../deliver/next-hop.ts'
import { type Deployment, deployment } from './aws-deployment.ts'

let nextHop: NextHop
let deployed: Deployment
const before = process.env.ELEMTA_CONFIG_YAML
const invoke = (Records: readonly { messageId: string; body: string }[], milliseconds = 60_000) => {
  const end = performance.now() + milliseconds
  return handler({ Records }, { getRemainingTimeInMillis: () => end - performance.now() })
}
const stateOf = async (queueId: string) => (await deployed.backends.records.get(queueId))?.recipients[0]?.state
const NOTHING_STAYS = { batchItemFailures: [] }

beforeEach(async () => {
  nextHop = await startNextHop()
  deployed = await deployment({ routes: [{ domains: ['*'], to: nextHop.url }] })
  process.env.ELEMTA_CONFIG_YAML = deployed.configuration
})
afterEach(async () => {
  await close()
  await deployed.dispose()
  await nextHop.close()
  process.env.ELEMTA_CONFIG_YAML = before
})

test('a batch is delivered, the next one over the same connection, and the ledger balances', async () => {
  const [one, two, three] = [await deployed.waiting(), await deployed.waiting(), await deployed.waiting()]
  expect(await invoke([one.record, two.record])).toEqual(NOTHING_STAYS)
  const connections = nextHop.connections.length
  expect(await invoke([three.record])).toEqual(NOTHING_STAYS)
  expect(nextHop.messages).toHaveLength(3)
  expect(nextHop.connections).toHaveLength(connections)
  for (const { queueId } of [one, two, three]) expect(await stateOf(queueId)).toBe('delivered')
  expect(await readLedger(deployed.backends)).toMatchObject({ accepted: 3, delivered: 3, imbalance: 0 })
})

test('a message that comes twice, and again after its end, is delivered once', async () => {
  const { record } = await deployed.waiting()
  const { batchItemFailures } = await invoke([record, { ...record, messageId: 'copy' }])
  // Whoever came second finds it at work, and stays in case the first dies.
  expect(batchItemFailures).toHaveLength(1)
  expect(await invoke([record])).toEqual(NOTHING_STAYS)
  expect(nextHop.messages).toHaveLength(1)
})

test('what is no message of ours stays for the dead-letter queue, and keeps nobody back', async () => {
  const { record } = await deployed.waiting()
  const answer = await invoke([{ messageId: 'poison', body: '{"job": 7' }, record])
  expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: 'poison' }] })
  expect(nextHop.messages).toHaveLength(1)
})

test('what the next hop defers waits for its next attempt', async () => {
  nextHop.follow({ rcpt: '450 4.2.0 later' })
  const { queueId, record } = await deployed.waiting()
  expect(await invoke([record])).toEqual(NOTHING_STAYS)
  expect(await stateOf(queueId)).toBe('deferred')
  expect(await deployed.backends.records.deferralsOf(queueId)).toHaveLength(1)
})

test('a job that there is no more time for is given back, and delivered by the next invocation at once', async () => {
  const { queueId, record } = await deployed.waiting()
  await invoke([]) // so that attempts may take as long as ever
  nextHop.follow({ mail: 'mute' })
  const asked = expect.poll(() => nextHop.connections.flat().some(line => line.startsWith('MAIL')), { timeout: 10_000 })
  const [answer] = await Promise.all([invoke([record], 13_000), asked.toBe(true)])
  expect(answer).toEqual(NOTHING_STAYS)
  expect(await stateOf(queueId)).toBe('queued')
  nextHop.follow({})
  expect(await invoke([record])).toEqual(NOTHING_STAYS)
  expect(nextHop.messages).toHaveLength(1)
  expect(await stateOf(queueId)).toBe('delivered')
})

test('while DynamoDB does not answer messages stay, and nothing is lost', async () => {
  const { queueId, record } = await deployed.waiting()
  await invoke([])
  deployed.home.front.decide(({ action }) => (action === 'UpdateItem' ? { status: 500 } : 'pass'))
  expect((await invoke([record])).batchItemFailures).toEqual([{ itemIdentifier: record.messageId }])
  deployed.home.front.decide(() => 'pass')
  expect(await invoke([record])).toEqual(NOTHING_STAYS)
  expect(await stateOf(queueId)).toBe('delivered')
})
