// The worker loop on the embedded home's real queue: retries, poison, drain.
import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openEmbedded } from '../../src/backends.ts'
import type { ScanJob } from '../../src/mail/job.ts'
import { mintQueueId } from '../../src/mail/queue-id.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { createGiveUp } from '../../src/spool/dead-letter.ts'
import { growingDelay } from '../../src/spool/job-run.ts'
import { readLedger } from '../../src/spool/ledger.ts'
import { formatTrace } from '../../src/spool/trace.ts'
import { startWorker, type WorkerOptions } from '../../src/spool/worker.ts'
import type { Backends } from '../../src/storage/backends.ts'
import { acceptedEvent, acceptedMessage } from '../contract/home.ts'
import { temporaryDirectory } from '../storage/embedded-home.ts'

let directory: string
let backends: Backends
let metrics: ReturnType<typeof createMetrics>

const open = () => openEmbedded({ dataDir: `${directory}/data`, now: Date.now })

beforeEach(async () => {
  directory = await temporaryDirectory()
  backends = await open()
  metrics = createMetrics()
})
afterEach(async () => {
  await backends.close()
  await rm(directory, { recursive: true })
})

/** A message with its scan job; returns the queue id. */
async function accept(recipients = ['bob@example.com']): Promise<string> {
  const queueId = mintQueueId(Date.now())
  await backends.together(
    () => backends.records.create(acceptedMessage({ queueId, recipients }), acceptedEvent()),
    () => backends.scanJobs.enqueue({ kind: 'scan', id: `${queueId}/scan/1`, queueId, recipients, attempt: 1 }),
  )
  return queueId
}

function work(handle: WorkerOptions<ScanJob>['handle'], more: Partial<WorkerOptions<ScanJob>> = {}) {
  const queue = backends.scanJobs
  const giveUp = createGiveUp(queue, { backends, now: Date.now, log: silentLog, metrics })
  const retryDelay = () => 1
  return startWorker({
    stage: 'scan',
    queue,
    concurrency: 2,
    handle,
    giveUp,
    retryDelay,
    log: silentLog,
    metrics,
    ...more,
  })
}

async function series(name: string): Promise<number> {
  const text = await metrics.registry.metrics()
  return Number(
    text
      .split('\n')
      .find(line => line.startsWith(`${name} `))
      ?.split(' ')[1],
  )
}

const whenQueueIs = (wanted: Partial<Record<'incoming' | 'active' | 'dead', number>>) =>
  expect
    .poll(async () => {
      const { incoming, active, dead } = await backends.scanJobs.tally()
      return { incoming: incoming.jobs, active: active.jobs, dead: dead.jobs }
    })
    .toMatchObject(wanted)

test('a job that fails is tried again, with the others going on', async () => {
  const unlucky = await accept()
  const tries: number[] = []
  const worker = work(async lease => {
    if (lease.job.queueId === unlucky) tries.push(lease.tries)
    if (lease.job.queueId === unlucky && lease.tries < 3) throw new Error('not today')
    await backends.scanJobs.done(lease)
  })
  await accept()
  await accept()
  await whenQueueIs({ incoming: 0, active: 0, dead: 0 })
  await worker.drain()
  expect(tries).toEqual([1, 2, 3])
  expect(await series('elemta_job_crashes_total{stage="scan"}')).toBe(2)
})

test('a job that always fails becomes a dead letter with its reason, and the ledger knows it', async () => {
  const poison = await accept(['bob@example.com', 'carol@example.com'])
  let tried = 0
  const worker = work(
    async () => {
      tried++
      throw new Error('cannot be parsed')
    },
    { maxTries: 3 },
  )
  await whenQueueIs({ dead: 1 })
  await worker.drain()
  expect(tried).toBe(3)
  const record = await backends.records.get(poison)
  expect(record?.events.at(-1)).toMatchObject({
    event: 'dead-letter',
    stage: 'scan',
    recipients: ['bob@example.com', 'carol@example.com'],
    why: expect.stringMatching(/died or failed 3 times.*cannot be parsed/),
  })
  expect(formatTrace(record!)).toMatch(/dead letter \(scan\): .*cannot be parsed/)
  expect(await series('elemta_dead_letters_total{stage="scan"}')).toBe(1)
  expect(await readLedger(backends)).toMatchObject({ accepted: 2, queued: { deadLetters: 2 }, imbalance: 0 })
})

test('a job that kills its process goes to the dead letters, and takes none of the others with it', async () => {
  const poison = await accept()
  const innocent: string[] = []
  for (let n = 0; n < 5; n++) innocent.push(await accept())
  await backends.close()

  const args = [new URL('./poison.ts', import.meta.url).pathname, `${directory}/data`, poison]
  const ends: unknown[] = []
  for (let run = 0; run < 20 && ends.at(-1) !== 0; run++) {
    const end = await promisify(execFile)(process.execPath, args).then(
      () => 0,
      error => error.signal ?? error.code,
    )
    ends.push(end)
  }
  expect(ends).toEqual([...Array(5).fill('SIGKILL'), 0])

  backends = await open()
  const states = async (queueId: string) => (await backends.records.get(queueId))?.recipients.map(({ state }) => state)
  expect(await Promise.all(innocent.map(states))).toEqual(innocent.map(() => ['delivered']))
  expect((await backends.records.get(poison))?.events.at(-1)).toMatchObject({
    event: 'dead-letter',
    why: 'its worker died or failed 5 times',
  })
  expect(await backends.scanJobs.tally()).toMatchObject({
    incoming: { jobs: 0 },
    active: { jobs: 0 },
    dead: { jobs: 1 },
  })
  expect(await readLedger(backends)).toMatchObject({ accepted: 6, delivered: 5, imbalance: 0 })
})

test('a suspect that had not begun when its process was killed has not been tried', async () => {
  const suspects = [await accept(), await accept()]
  for (const lease of await backends.scanJobs.lease(2, new AbortController().signal)) {
    await backends.scanJobs.retry(lease, 0, 'died')
  }
  // New, so it begins at once; the suspects wait for its end, which is everybody's.
  const poison = await accept()
  await backends.close()
  const args = [new URL('./poison.ts', import.meta.url).pathname, `${directory}/data`, poison]
  await expect(promisify(execFile)(process.execPath, args)).rejects.toMatchObject({ signal: 'SIGKILL' })

  backends = await open()
  const leases = await backends.scanJobs.lease(9, new AbortController().signal)
  const triesOf = (queueId: string) => leases.find(({ job }) => job.queueId === queueId)?.tries
  expect(suspects.map(triesOf)).toEqual([2, 2])
  expect(triesOf(poison)).toBe(2)
})

test('draining lets what is in work end, and begins nothing more', async () => {
  const begun: string[] = []
  let finish = () => {}
  const gate = new Promise<void>(resolve => {
    finish = resolve
  })
  for (let n = 0; n < 5; n++) await accept()
  const worker = work(async lease => {
    begun.push(lease.job.queueId)
    await gate
    await backends.scanJobs.done(lease)
  })
  await whenQueueIs({ active: 2 })
  const drained = worker.drain()
  finish()
  await drained
  expect(begun).toHaveLength(2)
  await whenQueueIs({ incoming: 3, active: 0 })
})

test('a drain whose patience is over calls off what is in work, and gives it back as if it had not begun', async () => {
  await accept()
  const began = Promise.withResolvers<void>()
  const letGo: string[] = []
  const worker = work(
    (_lease, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new Error('called off')))
        began.resolve()
      }),
    { letGo: async ({ job }) => void letGo.push(job.queueId) },
  )
  await began.promise
  await worker.drain(1)
  expect(letGo).toHaveLength(1)
  const [lease] = await backends.scanJobs.lease(1, AbortSignal.timeout(5000))
  expect(lease?.tries).toBe(1)
  expect(await series('elemta_job_crashes_total{stage="scan"}')).toBe(0)
})

test('a drain gives suspects back without counting a try', async () => {
  const queueId = await accept()
  const [lease] = await backends.scanJobs.lease(1, new AbortController().signal)
  await backends.scanJobs.retry(lease!, 0, 'died')
  await accept()
  let finish = () => {}
  const gate = new Promise<void>(resolve => {
    finish = resolve
  })
  const worker = work(async other => {
    expect(other.job.queueId).not.toBe(queueId)
    await gate
    await backends.scanJobs.done(other)
  })
  await whenQueueIs({ active: 2 })
  const drained = worker.drain()
  finish()
  await drained
  const [again] = await backends.scanJobs.lease(1, new AbortController().signal)
  expect(again).toMatchObject({ job: { queueId }, tries: 2 })
})

test('a worker that lost its lease is told to stop', async () => {
  await accept()
  let reason: unknown
  const worker = work(
    async (lease, signal) => {
      await backends.scanJobs.done(lease) // as if somebody else had it
      await new Promise(resolve => signal.addEventListener('abort', resolve))
      reason = signal.reason
    },
    { renewEvery: 5 },
  )
  await expect.poll(() => reason).toMatchObject({ message: expect.stringContaining('lease') })
  await worker.drain()
})

test('delays grow to a minute', () => {
  expect([1, 2, 3, 6, 7, 50].map(growingDelay)).toEqual([1000, 2000, 4000, 32_000, 60_000, 60_000])
})

test('a suspect that is only slow holds nobody up', async () => {
  const slow = await accept()
  const begun = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  const worker = work(
    async lease => {
      if (lease.job.queueId === slow && lease.tries === 1) throw new Error('not today')
      if (lease.job.queueId === slow) {
        begun.resolve()
        await release.promise
      }
      await backends.scanJobs.done(lease)
    },
    { aloneTime: 10 },
  )
  await begun.promise
  await accept()
  await whenQueueIs({ incoming: 0, active: 1 })
  release.resolve()
  await whenQueueIs({ incoming: 0, active: 0, dead: 0 })
  await worker.drain()
})
