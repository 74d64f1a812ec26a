// Mail on its way out of quarantine is scanned again: what it was caught for does not count any more, everything else
// does, and only a release of our own counts. The storage is the embedded home's; the scanners report what a test says.
import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Release } from '../../src/mail/job.ts'
import { RELEASE_LIFETIME, releaseFault, signRelease } from '../../src/mail/release.ts'
import type { Finding } from '../../src/mail/verdict.ts'
import { createLimit } from '../../src/platform/limit.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { createScanHandler } from '../../src/scan/scan-job.ts'
import type { ScanPolicy } from '../../src/scan/verdict.ts'
import { readLedger } from '../../src/spool/ledger.ts'
import type { Backends } from '../../src/storage/backends.ts'
import { untilTestEnds } from '../contract/home.ts'
import { embeddedHome } from '../storage/embedded-home.ts'
import { storeMessage } from '../storage/stored-message.ts'

const KEY = randomBytes(32)
const [A, B] = ['a@example.com', 'b@example.com'] as const
const POLICY: ScanPolicy = {
  clamav: { action: 'quarantine', heuristics: 'quarantine', onError: 'defer' },
  rspamd: { rejectScore: 15, action: 'quarantine', addHeaders: true, onError: 'tag' },
}

const clean: Finding = { scanner: 'clamav', kind: 'clean' }
const virus = (signature: string): Finding => ({ scanner: 'clamav', kind: 'virus', signature })
const encrypted: Finding = { scanner: 'clamav', kind: 'heuristic', signature: 'Heuristics.Encrypted.Zip' }
const down: Finding = { scanner: 'clamav', kind: 'could-not-scan', failure: 'unreachable', detail: 'refused' }
const scored = (score: number): Finding => {
  const action = score >= 15 ? 'reject' : 'no action'
  return { scanner: 'rspamd', kind: 'scored', score, requiredScore: 15, action, symbols: {}, headers: [] }
}

let home: Awaited<ReturnType<typeof embeddedHome>>
let backends: Backends
let jobs: number
beforeEach(async () => {
  home = await embeddedHome()
  backends = await home.open()
  jobs = 0
})
afterEach(async () => {
  expect(await readLedger(backends)).toMatchObject({ imbalance: 0 })
  await backends.close()
  await home.dispose()
})

type Scan = Readonly<{ again?: true; release?: Release; policy?: ScanPolicy; key?: Buffer | undefined }>

function handlerFor(
  findings: readonly Finding[],
  { policy, key }: Readonly<{ policy: ScanPolicy; key: Buffer | undefined }> = { policy: POLICY, key: KEY },
) {
  const scanner = (name: 'clamav' | 'rspamd') => ({
    name,
    scan: async () => findings.find(finding => finding.scanner === name)!,
    ping: async () => ({ ok: true, detail: '' }),
    close: async () => {},
  })
  return createScanHandler({
    backends,
    limit: createLimit(1),
    logClean: false,
    scanners: [scanner('clamav'), scanner('rspamd')],
    policy,
    ...(key && { releaseFault: (job, at) => releaseFault(key, job, at) }),
    retrySchedule: { delays: [1000], lifetime: 3_600_000 },
    now: home.now,
    log: silentLog,
    metrics: createMetrics(),
  })
}

/** Runs a scan job for these recipients, and returns what is then known of them. */
async function scan(queueId: string, recipients: readonly string[], findings: readonly Finding[], options: Scan = {}) {
  const { release, policy = POLICY } = options
  const key = 'key' in options ? options.key : KEY
  const id = `${queueId}/scan/1/${++jobs}`
  const before = (await backends.records.get(queueId))!
  const changes = recipients
    .filter(
      recipient =>
        !options.again && before.recipients.some(one => one.recipient === recipient && one.state === 'quarantined'),
    )
    .map(recipient => ({ recipient, state: 'queued' as const }))
  if (changes.length > 0) await backends.records.note(queueId, release ? [noteOf(release, recipients)] : [], changes)
  await backends.scanJobs.enqueue({ kind: 'scan', id, queueId, recipients, attempt: 1, ...(release && { release }) })
  const [lease] = await backends.scanJobs.lease(1, untilTestEnds)
  await handlerFor(findings, { policy, key })(lease!, untilTestEnds)
  const { recipients: states, events } = (await backends.records.get(queueId))!
  const last = events.at(-1)!
  return {
    states: Object.fromEntries(states.map(({ recipient, state }) => [recipient, state])),
    why: 'why' in last ? last.why : undefined,
    events,
  }
}

/** A message that is in quarantine for these findings. */
async function caughtFor(findings: readonly Finding[], recipients: readonly string[] = [A]): Promise<string> {
  const queueId = await storeMessage(backends, { recipients, acceptedAt: home.now() })
  await scan(queueId, recipients, findings)
  return queueId
}

/** What an operator's release writes down. */
const noteOf = ({ by, at }: Release, recipients: readonly string[]) =>
  ({ at, event: 'operator', action: 'release', by, recipients }) as const

const releaseOf = (queueId: string, recipients: readonly string[] = [A]) =>
  signRelease(KEY, { queueId, recipients }, 'carol', home.now())

test.each<[what: string, caught: Finding[], now: Finding[], headers: Record<string, string>]>([
  ['spam', [clean, scored(17)], [clean, scored(22)], { 'X-Spam-Score': '22.00' }],
  ['a virus that is none', [virus('X'), scored(1)], [virus('X'), scored(1)], { 'X-Virus-Status': 'Released (X)' }],
  ['an archive', [encrypted, scored(1)], [encrypted, scored(1)], {}],
  ['both', [virus('X'), scored(17)], [virus('X'), scored(17)], {}],
  ['what is clean by now', [virus('X'), scored(17)], [clean, scored(2)], { 'X-Virus-Status': 'Clean' }],
])('%s goes on when it is released, and says by whom', async (_, caught, now, headers) => {
  const queueId = await caughtFor(caught)
  const { states, why } = await scan(queueId, [A], now, { release: releaseOf(queueId) })
  expect(states).toEqual({ [A]: 'queued' })
  expect(why).toMatch(/released by carol$/)
  const [lease] = await backends.deliveryJobs.lease(1, untilTestEnds)
  expect(lease!.job).toMatchObject({ recipients: [A], release: { by: 'carol' } })
  const values = Object.fromEntries(lease!.job.headers.map(({ name, value }) => [name, value]))
  expect(values).toMatchObject({ 'X-Elemta-Released': 'by carol', ...headers })
  expect(values['X-Spam-Flag']).toBeUndefined()
})

test.each<[what: string, caught: Finding[], now: Finding[], why: string]>([
  ['a virus where there was spam', [clean, scored(17)], [virus('New'), scored(17)], 'New (ClamAV)'],
  ['another virus', [virus('X'), scored(1)], [virus('New'), scored(1)], 'New (ClamAV)'],
  ['spam where there was a virus', [virus('X'), scored(3)], [virus('X'), scored(16)], 'score 16 of 15 (Rspamd)'],
])('%s has the message set aside again, and says so', async (_, caught, now, why) => {
  const queueId = await caughtFor(caught)
  const release = releaseOf(queueId)
  const again = await scan(queueId, [A], now, { release })
  expect(again).toMatchObject({ states: { [A]: 'quarantined' }, why: `not released: ${why}` })
  expect(await backends.deliveryJobs.tally()).toMatchObject({ incoming: { jobs: 0 } })

  // Whoever has seen that, too, may release it.
  const { states } = await scan(queueId, [A], now, { release: releaseOf(queueId) })
  expect(states).toEqual({ [A]: 'queued' })
})

test('a virus that is to be discarded is kept when somebody wanted the message', async () => {
  const queueId = await caughtFor([clean, scored(17)])
  const policy: ScanPolicy = { ...POLICY, clamav: { ...POLICY.clamav!, action: 'discard' } }
  const { states } = await scan(queueId, [A], [virus('New'), scored(17)], { release: releaseOf(queueId), policy })
  expect(states).toEqual({ [A]: 'quarantined' })
  expect((await backends.messages.open(queueId)).size).toBeGreaterThan(0)
})

test.each<[what: string, forged: (queueId: string) => Scan, why: RegExp]>([
  [
    'by another key',
    id => ({ release: signRelease(randomBytes(32), { queueId: id, recipients: [A] }, 'carol', 0) }),
    /not signed by us/,
  ],
  ['for another recipient', id => ({ release: releaseOf(id, [B]) }), /not signed by us/],
  ['for another message', () => ({ release: releaseOf('1M80Y3EVSG143VFRRFEF') }), /not signed by us/],
  ['under another name', id => ({ release: { ...releaseOf(id), by: 'dave' } }), /not signed by us/],
  ['with no signature', id => ({ release: { ...releaseOf(id), signature: '' } }), /not signed by us/],
  ['where none is taken', id => ({ release: releaseOf(id), key: undefined }), /not taken here/],
  [
    'more than a day ago',
    id => ({ release: signRelease(KEY, { queueId: id, recipients: [A] }, 'carol', home.now() - RELEASE_LIFETIME - 1) }),
    /expired/,
  ],
])('a release %s counts for nothing', async (_, forged, why) => {
  const queueId = await caughtFor([clean, scored(17)], [A, B])
  const { states, why: told } = await scan(queueId, [A], [clean, scored(17)], forged(queueId))
  expect(states).toEqual({ [A]: 'quarantined', [B]: 'quarantined' })
  expect(told).toMatch(why)
  expect(told).toMatch(/^not released: .*score 17 of 15/)
})

test('a release that comes again for what is delivered changes nothing', async () => {
  const queueId = await caughtFor([clean, scored(17)])
  const release = releaseOf(queueId)
  await scan(queueId, [A], [clean, scored(17)], { release })
  const [lease] = await backends.deliveryJobs.lease(1, untilTestEnds)
  await backends.deliveryJobs.done(lease!)
  await backends.records.note(queueId, [], [{ recipient: A, state: 'delivered' }])
  const { states, events } = await scan(queueId, [A], [virus('New'), scored(17)], { release })
  expect(states).toEqual({ [A]: 'delivered' })
  expect(events.at(-1)).toMatchObject({ event: 'verdict', decision: 'deliver' })
  expect(await backends.deliveryJobs.tally()).toMatchObject({ incoming: { jobs: 0 }, active: { jobs: 0 } })
})

test('a release that has led back into quarantine is used up', async () => {
  const queueId = await caughtFor([clean, scored(17)])
  const release = releaseOf(queueId)
  await home.advance(1000)
  const now = [virus('New'), scored(17)]
  expect((await scan(queueId, [A], now, { release })).states).toEqual({ [A]: 'quarantined' })
  // The same job, handed out once more; and a copy of it, when the recipient is on his way for another reason.
  expect((await scan(queueId, [A], [clean, scored(17)], { release, again: true })).states).toEqual({
    [A]: 'quarantined',
  })
  const copied = await scan(queueId, [A], now, { release })
  expect(copied).toMatchObject({ states: { [A]: 'quarantined' }, why: 'not released: New (ClamAV)' })
})

test('a release whose job comes before it is written down waits for that', async () => {
  const queueId = await caughtFor([clean, scored(17)])
  const release = releaseOf(queueId)
  await home.advance(1000)
  expect((await scan(queueId, [A], [clean, scored(17)], { release, again: true })).states).toEqual({
    [A]: 'quarantined',
  })
  expect((await backends.scanJobs.tally()).incoming.jobs).toBe(1)
  await backends.records.note(queueId, [noteOf(release, [A])], [{ recipient: A, state: 'queued' }])
  await home.advance(500)
  const [lease] = await backends.scanJobs.lease(1, untilTestEnds)
  expect(lease!.job).toMatchObject({ recipients: [A], release: { by: 'carol' } })
  await backends.scanJobs.release(lease!)
})

test('a release that is never written down is none', async () => {
  const queueId = await caughtFor([clean, scored(17)])
  const job = { kind: 'scan', id: `${queueId}/scan/1/never`, queueId, recipients: [A], attempt: 1 } as const
  await backends.scanJobs.enqueue({ ...job, release: releaseOf(queueId) })
  for (let looks = 0; looks < 5; looks++) {
    await home.advance(60_000)
    const [lease] = await backends.scanJobs.lease(1, untilTestEnds)
    await handlerFor([clean, scored(17)])(lease!, untilTestEnds)
  }
  expect(await backends.scanJobs.tally()).toMatchObject({
    incoming: { jobs: 0 },
    active: { jobs: 0 },
    dead: { jobs: 0 },
  })
  expect((await backends.records.get(queueId))!.recipients).toMatchObject([{ recipient: A, state: 'quarantined' }])
})

test('a release whose scan fails waits, and is still one', async () => {
  const queueId = await caughtFor([clean, scored(17)])
  const release = releaseOf(queueId)
  const { states } = await scan(queueId, [A], [down, scored(17)], { release })
  expect(states).toEqual({ [A]: 'deferred' })
  const [deferral] = await backends.records.deferralsOf(queueId)
  expect(deferral!.job).toMatchObject({ kind: 'scan', release, recipients: [A] })
})
