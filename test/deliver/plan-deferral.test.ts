// What becomes of recipients that were tried and of those that were only postponed. The records are the embedded home's.
import { rm } from 'node:fs/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openEmbedded } from '../../src/backends.ts'
import type { Outcome } from '../../src/deliver/outcome.ts'
import { planDeferral } from '../../src/deliver/plan-deferral.ts'
import type { DeliveryJob } from '../../src/mail/job.ts'
import type { Backends } from '../../src/storage/backends.ts'
import { temporaryDirectory } from '../storage/embedded-home.ts'
import { storeMessage } from '../storage/stored-message.ts'

const LIFETIME = 3_600_000
const RECIPIENTS = ['a@tried.example', 'b@down.example', 'c@down.example']

let directory: string
let backends: Backends
let queueId: string
let now: number
beforeEach(async () => {
  directory = await temporaryDirectory()
  backends = await openEmbedded({ dataDir: `${directory}/data`, now: Date.now })
  queueId = await storeMessage(backends, { recipients: RECIPIENTS })
  now = (await backends.records.get(queueId))!.message.acceptedAt + 1000
})
afterEach(async () => {
  await backends.close()
  await rm(directory, { recursive: true })
})

const job = (changes: Partial<DeliveryJob> = {}): DeliveryJob => {
  const attempt = changes.attempt ?? 1
  return {
    kind: 'delivery',
    id: `${queueId}/delivery/${attempt}`,
    queueId,
    recipients: RECIPIENTS,
    attempt,
    headers: [],
    ...changes,
  }
}
const tried = (recipient: string): Outcome => ({
  ...{ recipient, kind: 'deferred', nextHop: 'smtp://192.0.2.1:25', reply: '451 4.3.0 Later', seconds: 1 },
})
const postponed = (recipient: string, retryAt: number): Outcome => ({
  ...{ recipient, kind: 'deferred', nextHop: 'mx:down.example', reply: 'destination down', seconds: 0, retryAt },
})

async function plan(from: DeliveryJob, outcomes: readonly Outcome[]) {
  const record = (await backends.records.get(queueId))!
  const options = { backends, retrySchedule: { delays: [60_000], lifetime: LIFETIME }, now: () => now }
  await backends.together(...planDeferral(record, from, outcomes, options))
  return await waiting()
}
async function waiting() {
  const due = await backends.records.due(now + 2 * LIFETIME, 10)
  return due.map(({ job: { id, attempt, recipients }, dueAt }) => ({ id, attempt, recipients, in: dueAt - now }))
}
const eventsOf = async () => (await backends.records.get(queueId))!.events.filter(({ event }) => event === 'deferred')

test('whoever was only postponed comes again then, as the same attempt', async () => {
  expect(await plan(job(), [postponed(RECIPIENTS[1]!, now + 5000), postponed(RECIPIENTS[2]!, now + 7000)])).toEqual([
    { id: `${queueId}/delivery/1`, attempt: 1, recipients: RECIPIENTS.slice(1), in: 5000 },
  ])
})

test('whoever was tried comes again by the schedule, and neither waits for the other', async () => {
  const [first, second] = await plan(job(), [tried(RECIPIENTS[0]!), postponed(RECIPIENTS[1]!, now + 5000)])
  expect(first).toMatchObject({ attempt: 1, recipients: [RECIPIENTS[1]], in: 5000 })
  expect(second).toMatchObject({ attempt: 2, recipients: [RECIPIENTS[0]] })
  expect(second!.in).toBeGreaterThan(50_000)
})

test('jobs taken apart never take the place of each other later', async () => {
  const [a, b, c] = RECIPIENTS as [string, string, string]
  await plan(job(), [tried(a), postponed(b, now + 5000), postponed(c, now + 5000)])
  /** The job that is about this recipient comes again, and ends in these deferrals. */
  async function again(recipient: string, outcomes: readonly Outcome[]): Promise<void> {
    const due = await backends.records.due(now + 2 * LIFETIME, 10)
    const found = due.find(deferral => deferral.job.recipients.includes(recipient))!.job as DeliveryJob
    await backends.records.undefer(found.id)
    await plan(found, outcomes)
  }
  await again(b, [tried(b), tried(c)])
  await again(a, [tried(a)])
  await again(b, [tried(b), tried(c)])
  await again(c, [tried(c), postponed(b, now + 5000)])
  expect((await waiting()).flatMap(({ recipients }) => recipients).toSorted()).toEqual([a, b, c])
})

test('nobody is postponed beyond the lifetime', async () => {
  const [only] = await plan(job(), [postponed(RECIPIENTS[1]!, now + 2 * LIFETIME)])
  expect(only!.in).toBe(LIFETIME - 1000)
})

test('a destination that is down for long fills no page with the same sentence', async () => {
  for (let n = 0; n < 5; n++) await plan(job(), [postponed(RECIPIENTS[1]!, now + 5000)])
  expect(await eventsOf()).toHaveLength(1)
  await plan(job(), [{ ...postponed(RECIPIENTS[1]!, now + 5000), reply: 'destination down again' }])
  expect(await eventsOf()).toHaveLength(2)
})
