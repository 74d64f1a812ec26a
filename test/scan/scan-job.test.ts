// What a scan job leads to where no story shows it: discards, endless failures, jobs that come twice. The storage is
// the embedded home's own; the scanner is one that reports what a test tells it.
import { rm } from 'node:fs/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openEmbedded } from '../../src/backends.ts'
import type { Finding } from '../../src/mail/verdict.ts'
import { createLimit } from '../../src/platform/limit.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { createScanHandler } from '../../src/scan/scan-job.ts'
import type { ScanPolicy } from '../../src/scan/verdict.ts'
import { readLedger } from '../../src/spool/ledger.ts'
import type { Backends } from '../../src/storage/backends.ts'
import { temporaryDirectory } from '../storage/embedded-home.ts'
import { storeMessage } from '../storage/stored-message.ts'

const HOUR = 3_600_000
const signal = new AbortController().signal

let directory: string
let backends: Backends
beforeEach(async () => {
  directory = await temporaryDirectory()
  backends = await openEmbedded({ dataDir: `${directory}/data`, now: Date.now })
})
afterEach(async () => {
  await backends.close()
  await rm(directory, { recursive: true })
})

/** Runs the scan job of a message whose ClamAV scan has this finding. */
async function scan(
  queueId: string,
  finding: Finding,
  { attempt = 1, policy = {} as Partial<ScanPolicy['clamav']>, only = undefined as readonly string[] | undefined } = {},
) {
  const record = await backends.records.get(queueId)
  const recipients = only ?? record!.recipients.map(({ recipient }) => recipient)
  await backends.scanJobs.enqueue({ kind: 'scan', id: `${queueId}/scan/${attempt}`, queueId, recipients, attempt })
  const [lease] = await backends.scanJobs.lease(1, signal)
  const metrics = createMetrics()
  const handle = createScanHandler({
    backends,
    limit: createLimit(1),
    logClean: false,
    scanners: [
      {
        name: 'clamav',
        scan: async () => finding,
        ping: async () => ({ ok: true, detail: '' }),
        close: async () => {},
      },
    ],
    policy: { clamav: { action: 'quarantine', heuristics: 'tag', onError: 'defer', ...policy } },
    retrySchedule: { delays: [1000, 5000], lifetime: HOUR },
    now: Date.now,
    log: silentLog,
    metrics,
  })
  await handle(lease!, signal)
  return (await backends.records.get(queueId))!
}

const virus: Finding = { scanner: 'clamav', kind: 'virus', signature: 'Win.Test' }
const down: Finding = { scanner: 'clamav', kind: 'could-not-scan', failure: 'unreachable', detail: 'refused' }
const clean: Finding = { scanner: 'clamav', kind: 'clean' }
const contentOf = (queueId: string) => backends.messages.open(queueId)

test('a virus that is to be discarded leaves no content, but a record that says so', async () => {
  const queueId = await storeMessage(backends)
  const { recipients, events } = await scan(queueId, virus, { policy: { action: 'discard' } })
  expect(recipients).toEqual([{ recipient: 'bob@example.com', state: 'discarded' }])
  expect(events.at(-1)).toMatchObject({ event: 'discarded', why: 'Win.Test (ClamAV)' })
  await expect(contentOf(queueId)).rejects.toThrow('no content')
  expect(await readLedger(backends)).toMatchObject({ accepted: 1, discarded: 1, imbalance: 0 })
})

test('a discard leaves the content to those whose fate is open', async () => {
  const queueId = await storeMessage(backends, { recipients: ['bob@example.com', 'eve@example.com'] })
  await backends.records.note(queueId, [], [{ recipient: 'eve@example.com', state: 'quarantined' }])
  const { recipients } = await scan(queueId, virus, { policy: { action: 'discard' }, only: ['bob@example.com'] })
  expect(recipients.map(({ state }) => state)).toEqual(['discarded', 'quarantined'])
  expect((await contentOf(queueId)).size).toBeGreaterThan(0)
})

test('quarantine keeps the content', async () => {
  const queueId = await storeMessage(backends)
  await scan(queueId, virus)
  expect((await contentOf(queueId)).size).toBeGreaterThan(0)
  expect(await readLedger(backends)).toMatchObject({ accepted: 1, quarantined: 1, imbalance: 0 })
})

test('a scan that failed waits for the schedule’s next step, and says which attempt it was', async () => {
  const queueId = await storeMessage(backends)
  const { events } = await scan(queueId, down, { attempt: 2 })
  expect(events.at(-1)).toMatchObject({ event: 'deferred', stage: 'scan', attempt: 2 })
  const [deferral] = await backends.records.due(Date.now() + 6000, 10)
  expect(deferral?.job).toMatchObject({ kind: 'scan', attempt: 3, queueId })
  expect(deferral!.dueAt).toBeGreaterThan(Date.now() + 3000)
  expect(await readLedger(backends)).toMatchObject({ accepted: 1, queued: { deferred: 1 }, imbalance: 0 })
})

test('a message that could not be scanned for its whole lifetime is held: never passed, never lost', async () => {
  const queueId = await storeMessage(backends, { acceptedAt: Date.now() - 2 * HOUR })
  const { recipients, events } = await scan(queueId, down, { attempt: 40 })
  expect(recipients).toEqual([{ recipient: 'bob@example.com', state: 'held' }])
  expect(events.at(-1)).toMatchObject({
    event: 'held',
    why: expect.stringMatching(/given up after the queue lifetime/),
  })
  expect((await contentOf(queueId)).size).toBeGreaterThan(0)
  expect(await readLedger(backends)).toMatchObject({ accepted: 1, held: 1, imbalance: 0 })
})

test('a job handed out twice decides once', async () => {
  const queueId = await storeMessage(backends)
  await scan(queueId, clean)
  const again = await scan(queueId, clean)
  expect(await backends.deliveryJobs.tally()).toMatchObject({ incoming: { jobs: 1, recipients: 1 } })
  expect(again.recipients[0]!.state).toBe('queued')

  await backends.records.note(queueId, [], [{ recipient: 'bob@example.com', state: 'delivered' }])
  const after = await scan(queueId, virus)
  expect(after.recipients[0]!.state).toBe('delivered')
  expect(after.events.map(({ event }) => event)).not.toContain('quarantined')
  expect(await backends.scanJobs.tally()).toMatchObject({ incoming: { jobs: 0 }, active: { jobs: 0 } })
})

test('a scan whose content is gone throws: the job is tried again and ends as a dead letter, not as a delivery', async () => {
  const queueId = await storeMessage(backends)
  await backends.messages.remove(queueId)
  await expect(scan(queueId, clean)).rejects.toThrow('no content')
  expect(await backends.deliveryJobs.tally()).toMatchObject({ incoming: { jobs: 0 } })
})
