// A process that both scans and delivers keeps what it has scanned to itself: no wake-up goes out, the content is read
// once. What it cannot do, or does not get to, is everybody's.
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { AwsBackends } from '../../src/backends-aws.ts'
import type { DeliveryJob } from '../../src/mail/job.ts'
import { mintQueueId } from '../../src/mail/queue-id.ts'
import type { Lease } from '../../src/storage/job-queue.ts'
import { acceptedEvent, acceptedMessage, octets, untilTestEnds } from '../contract/home.ts'
import { read } from '../contract/message-store.ts'
import { type AwsHome, awsHome } from './aws-home.ts'

const BOB = 'bob@example.com'

let home: AwsHome
let backends: AwsBackends
beforeEach(async () => {
  home = await awsHome({ deliversOwn: true, polls: { waitTime: 0, times: { pause: 5, gather: 0 } } })
  backends = await home.open()
})
afterEach(async () => {
  await backends.close()
  await home.dispose()
})
const sent = () => home.front.requests.filter(({ action }) => action === 'SendMessageBatch').length
const gets = () =>
  home.front.requests.filter(({ method, path }) => method === 'GET' && path.includes('/incoming/')).length

async function accept(size = 100): Promise<string> {
  const { messages, records, scanJobs, together } = backends
  const queueId = mintQueueId(home.now())
  const draft = messages.draft(queueId)
  await draft.write(octets(size))
  await draft.seal()
  await together(
    () => draft.commit(),
    () => records.create(acceptedMessage({ queueId, recipients: [BOB] }), acceptedEvent()),
    () => scanJobs.enqueue({ kind: 'scan', id: `${queueId}/scan/1`, queueId, recipients: [BOB], attempt: 1 }),
  )
  return queueId
}

async function scan(): Promise<string> {
  const { records, scanJobs, deliveryJobs, together } = backends
  const [lease] = await scanJobs.lease(1, untilTestEnds)
  const { queueId } = lease!.job
  const id = `${queueId}/delivery/1`
  const job = { kind: 'delivery', id, queueId, recipients: [BOB], attempt: 1, headers: [] } as const
  await together(
    () => deliveryJobs.enqueue(job),
    () => records.note(queueId, [acceptedEvent()], [{ recipient: BOB, state: 'queued' }]),
    () => scanJobs.done(lease!),
  )
  return queueId
}

async function deliver(lease: Lease<DeliveryJob>): Promise<void> {
  const { records, deliveryJobs, together } = backends
  await together(
    () => records.note(lease.job.queueId, [acceptedEvent()], [{ recipient: BOB, state: 'delivered' }]),
    () => deliveryJobs.done(lease),
  )
}

const stateOf = async (queueId: string) => (await backends.records.get(queueId))?.recipients[0]?.state

test('delivers what it has scanned, without a wake-up', async () => {
  await accept()
  const waiting = backends.deliveryJobs.lease(5, untilTestEnds)
  const queueId = await scan()
  const [lease] = await waiting
  expect(lease).toMatchObject({ tries: 1, job: { queueId, kind: 'delivery' } })
  await deliver(lease!)
  expect(await stateOf(queueId)).toBe('delivered')
  expect(sent()).toBe(1)
  expect(await backends.deliveryJobs.tally()).toMatchObject({ incoming: { jobs: 0 }, active: { jobs: 0 } })
})

test('takes turns with what others have put', async () => {
  const other = await home.open({ deliversOwn: false })
  const theirs = { kind: 'delivery', id: 'theirs', queueId: mintQueueId(home.now()), recipients: [BOB] } as const
  await other.deliveryJobs.enqueue({ ...theirs, attempt: 1, headers: [] })
  await other.close()
  const seen: string[] = []
  for (let n = 0; n < 12 && !seen.includes('theirs'); n++) {
    await accept()
    await scan()
    for (const lease of await backends.deliveryJobs.lease(1, untilTestEnds)) seen.push(lease.job.id)
  }
  expect(seen).toContain('theirs')
})

test('gives back what nobody has begun when it stops', async () => {
  await accept()
  const queueId = await scan()
  await backends.close()
  backends = await home.open({ deliversOwn: false })
  expect(await backends.deliveryJobs.lease(1, untilTestEnds)).toMatchObject([{ tries: 1, job: { queueId } }])
})

test('leaves what it died with to whoever looks for jobs that nobody was woken for', async () => {
  await accept()
  const queueId = await scan()
  // It does nothing any more.
  const died = backends
  backends = await home.open({ deliversOwn: false })
  expect(await backends.deliveryJobs.tally()).toMatchObject({ active: { jobs: 1 } })
  await home.advance(home.leaseTime + 1)
  const [lease] = await backends.deliveryJobs.lease(1, untilTestEnds)
  expect(lease).toMatchObject({ tries: 2, job: { queueId } })
  await deliver(lease!)
  expect(await stateOf(queueId)).toBe('delivered')
  await died.close()
})

test('does not begin what it has kept so long that somebody else has it', async () => {
  await accept()
  await scan()
  const kept = backends
  backends = await home.open({ deliversOwn: false })
  await home.advance(home.leaseTime + 1)
  const [lease] = await backends.deliveryJobs.lease(1, untilTestEnds)
  const stop = new AbortController()
  const late = kept.deliveryJobs.lease(1, stop.signal)
  await deliver(lease!)
  stop.abort()
  expect(await late).toEqual([])
  await kept.close()
})

test.each([
  [100, 1],
  [200_000, 4],
])('reads a content of %i octets for both with %i requests', async (size, requests) => {
  const queueId = await accept(size)
  for (let reading = 0; reading < 2; reading++) {
    expect((await read(backends.messages, queueId)).length).toBe(size)
  }
  expect(gets()).toBe(requests)
  await read(backends.messages, queueId)
  await backends.messages.remove(queueId)
  await expect(backends.messages.open(queueId)).rejects.toThrow('no content')
})
