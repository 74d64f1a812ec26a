// Accepting mail while AWS fails: each write of it refused, late, or done without an answer. The client hears 451, or 250
// and the mail is there; what is half-written is never handed to a worker, and the sweep clears it away.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type AwsBackends, openAws } from '../../src/backends-aws.ts'
import { silentLog } from '../../src/platform/log.ts'
import { readLedger } from '../../src/spool/ledger.ts'
import { sweepOrphans } from '../../src/spool/sweep-orphans.ts'
import { untilTestEnds } from '../contract/home.ts'
import { listed } from '../contract/message-store.ts'
import { awsFront, awsPlace, POLLS, storageBlock } from '../storage/aws-home.ts'
import type { Fate, Front, FrontRequest } from '../storage/http-front.ts'
import { type Gateway, startGateway } from './gateway.ts'
import { mail, send } from './mail.ts'

const DAY = 24 * 3_600_000
const AGAIN = '451 4.3.0'

let front: Front
let gateway: Gateway
/** As another process sees it. */
let backends: AwsBackends
beforeAll(async () => {
  front = await awsFront()
  const place = await awsPlace(front.endpoint)
  gateway = await startGateway({ roles: 'ingress', config: { storage: storageBlock(place) } })
  backends = await openAws({ place, now: Date.now, polls: POLLS })
})
afterAll(async () => {
  await gateway[Symbol.asyncDispose]()
  await backends.close()
  await front.close()
})
afterEach(() => front.decide(() => 'pass'))

const isContent = ({ method, path }: FrontRequest) => path.includes('/incoming/') && method !== 'GET'
/** The message's item, which is its record and its job. */
const isRecord = ({ action, body }: FrontRequest) => action === 'PutItem' && body.includes('"folded"')

/** Gives a fate to what a test is about. */
function spoil(which: (request: FrontRequest) => boolean, fate: Fate): void {
  front.decide(request => (which(request) ? fate : 'pass'))
}

async function clearAway(): Promise<void> {
  front.decide(() => 'pass')
  await sweepOrphans({ backends, now: () => Date.now() + DAY, log: silentLog })
}

async function expectNothingLeft(): Promise<void> {
  expect(await listed(backends.messages)).toEqual([])
  expect(await readLedger(backends)).toMatchObject({ queued: { incoming: 0, active: 0 }, imbalance: 0 })
}

test.each<[string, (request: FrontRequest) => boolean, Fate]>([
  ['S3 refuses the content', isContent, { status: 503 }],
  ['S3 stores the content and does not answer', isContent, 'lost'],
  ['DynamoDB refuses the record', isRecord, { status: 500 }],
])('when %s the client hears 451, and nothing is left', async (_, which, fate) => {
  spoil(which, fate)
  const { reply, queueId } = await send(gateway.port, { content: mail() })
  expect(reply).toContain(AGAIN)
  front.decide(() => 'pass')
  expect((await backends.scanJobs.tally()).incoming.jobs).toBe(0)
  await clearAway()
  await expectNothingLeft()
  const record = await backends.records.get(queueId)
  expect(record?.recipients[0]?.state ?? 'deleted').toBe('deleted')
})

test('a large message whose upload breaks off is refused, and nothing of it is left', async () => {
  spoil(({ path }) => path.includes('partNumber=2'), { status: 403 })
  const { reply } = await send(gateway.port, { content: mail({ body: `${'x'.repeat(70)}\r\n`.repeat(90_000) }) })
  expect(reply).toContain(AGAIN)
  await clearAway()
  await expectNothingLeft()
})

test('a slow S3 keeps the client waiting, not the mail from being accepted', async () => {
  const gate = Promise.withResolvers<void>()
  const reached = Promise.withResolvers<void>()
  front.decide(async (request): Promise<Fate> => {
    if (isContent(request)) {
      reached.resolve()
      await gate.promise
    }
    return 'pass'
  })
  let answered = false
  const sending = send(gateway.port, { content: mail() }).finally(() => {
    answered = true
  })
  await reached.promise
  expect(answered).toBe(false)
  gate.resolve()
  const { reply, queueId } = await sending
  expect(reply).toMatch(/^250 /)
  await finish(queueId)
})

test.each<[string, (request: FrontRequest) => boolean]>([
  ['S3', isContent],
  ['DynamoDB', isRecord],
])('an answer of %s that is lost once changes nothing', async (_, which) => {
  let lost = false
  front.decide(request => {
    if (lost || !which(request)) return 'pass'
    lost = true
    return 'lost'
  })
  const { reply, queueId } = await send(gateway.port, { content: mail() })
  expect(reply).toMatch(/^250 /)
  expect(lost).toBe(true)
  await finish(queueId)
})

test('mail is accepted while SQS is away, and woken when it is back', async () => {
  spoil(({ action }) => action === 'SendMessageBatch', { status: 503 })
  const { reply, queueId } = await send(gateway.port, { content: mail() })
  expect(reply).toMatch(/^250 /)
  front.decide(() => 'pass')
  expect(await backends.scanJobs.resend({ grace: -1, patience: -1, max: 10 })).toBe(1)
  await finish(queueId)
})

/** Its only job is there, once; then it is brought to its end. */
async function finish(queueId: string): Promise<void> {
  const [lease, ...others] = await backends.scanJobs.lease(10, untilTestEnds)
  expect(lease?.job.queueId).toBe(queueId)
  expect(others).toEqual([])
  expect((await readLedger(backends)).imbalance).toBe(0)
  await backends.records.note(queueId, [], [{ recipient: 'bob@example.com', state: 'delivered' }])
  await backends.messages.remove(queueId)
  await backends.scanJobs.done(lease!)
  await expectNothingLeft()
}
