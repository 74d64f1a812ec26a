// A job under its lease while the storage is away, on the embedded home's real queue.
import { rm } from 'node:fs/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openEmbedded } from '../../src/backends.ts'
import type { ScanJob } from '../../src/mail/job.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { createJobRun, type JobRunOptions } from '../../src/spool/job-run.ts'
import type { Backends } from '../../src/storage/backends.ts'
import { temporaryDirectory } from '../storage/embedded-home.ts'

const JOB: ScanJob = { kind: 'scan', id: 'a/scan/1', queueId: 'a', recipients: ['bob@example.com'], attempt: 1 }
const diskFull = () => Object.assign(new Error('the disk is full'), { code: 'ENOSPC' })

let directory: string
let backends: Backends
let crashes: number

beforeEach(async () => {
  directory = await temporaryDirectory()
  backends = await openEmbedded({ dataDir: `${directory}/data`, now: Date.now })
  crashes = 0
})
afterEach(async () => {
  await backends.close()
  await rm(directory, { recursive: true })
})

async function leaseOne() {
  const [lease] = await backends.scanJobs.lease(1, AbortSignal.timeout(5000))
  return lease!
}

function jobRun(handle: JobRunOptions<ScanJob>['handle'], retryDelay = () => 1) {
  const metrics = { ...createMetrics(), jobCrashes: { inc: () => crashes++ } as never }
  const giveUp = () => Promise.reject(new Error('given up'))
  const queue = backends.scanJobs
  return createJobRun({ stage: 'scan', queue, handle, giveUp, retryDelay, log: silentLog, metrics })
}

test('a job waits while the storage is away, however long, and is not blamed for it', async () => {
  await backends.scanJobs.enqueue(JOB)
  let attempts = 0
  const { run } = jobRun(async lease => {
    expect(lease.tries).toBe(1)
    if (++attempts <= 20) throw diskFull()
    await backends.scanJobs.done(lease)
  })
  await run(await leaseOne())
  expect(attempts).toBe(21)
  expect(crashes).toBe(0)
  expect((await backends.scanJobs.tally()).active.jobs).toBe(0)
})

test('a job that waits for the storage is given back when it is called off, and no try is counted', async () => {
  await backends.scanJobs.enqueue(JOB)
  const stop = new AbortController()
  const { run } = jobRun(
    async () => {
      setImmediate(() => stop.abort())
      throw diskFull()
    },
    () => 3_600_000,
  )
  await run(await leaseOne(), stop.signal)
  expect(await leaseOne()).toMatchObject({ tries: 1 })
})
