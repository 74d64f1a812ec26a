// What an operator does to mail in quarantine: per recipient, told in the record and the log, and with a ledger that
// balances after each act.
import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { releaseFault } from '../../src/mail/release.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { expireQuarantine, refreshQuarantineGauges } from '../../src/spool/expiry.ts'
import { readLedger } from '../../src/spool/ledger.ts'
import type { OperationParts } from '../../src/spool/operation.ts'
import { createOperations, runOperation } from '../../src/spool/operations.ts'
import { createQuarantineOperations, type QuarantineAnswer } from '../../src/spool/quarantine-operations.ts'
import type { Backends } from '../../src/storage/backends.ts'
import { untilTestEnds } from '../contract/home.ts'
import { embeddedHome } from '../storage/embedded-home.ts'
import { storeMessage } from '../storage/stored-message.ts'

const KEY = randomBytes(32)
const DAY = 24 * 3_600_000
const [A, B, C] = ['a@example.com', 'b@example.com', 'c@other.example'] as const
const SPAM = 'score 17 of 15 (Rspamd)'

let home: Awaited<ReturnType<typeof embeddedHome>>
let backends: Backends
let parts: OperationParts
let audits: object[]
let run: <T = QuarantineAnswer>(name: string, input: object, who?: string) => Promise<T>
beforeEach(async () => {
  home = await embeddedHome()
  backends = await home.open()
  audits = []
  const log = { ...silentLog, info: (about: object, event: string) => void (event === 'audit' && audits.push(about)) }
  let turn: Promise<unknown> = Promise.resolve()
  parts = {
    backends,
    now: home.now,
    log: log as typeof silentLog,
    metrics: createMetrics(),
    alone(act) {
      const done = turn.then(act)
      turn = done.catch(() => {})
      return done
    },
  }
  const operations = createOperations(parts, createQuarantineOperations(parts, { releaseKey: () => KEY }))
  run = async (name, input, who = 'carol') => {
    const { status, body } = await runOperation(operations, name, input, who)
    if (status !== 200) throw new Error(`${status} ${(body as { error: string }).error}`)
    return body as never
  }
})
afterEach(async () => {
  expect(await readLedger(backends)).toMatchObject({ imbalance: 0 })
  await backends.close()
  await home.dispose()
})

async function quarantined(recipients: readonly string[], { why = SPAM, subject = 'x' } = {}): Promise<string> {
  await home.advance(1)
  const content = `Subject: ${subject}\r\n\r\nbody\r\n`
  const queueId = await storeMessage(backends, { recipients, acceptedAt: home.now(), content })
  const changes = recipients.map(recipient => ({ recipient, state: 'quarantined' as const }))
  await backends.records.note(queueId, [{ at: home.now(), event: 'quarantined', recipients, why }], changes)
  return queueId
}

async function statesOf(queueId: string) {
  const record = await backends.records.get(queueId)
  return Object.fromEntries(record!.recipients.map(({ recipient, state }) => [recipient, state]))
}
const hasContent = (queueId: string) =>
  backends.messages.open(queueId).then(
    () => true,
    () => false,
  )

test('a release is a signed scan job for the one who was named, with a note of who did it', async () => {
  const queueId = await quarantined([A, B])
  const { changed } = await run('quarantine/release', { ids: [queueId], recipients: [A] })
  expect(changed).toEqual([{ queueId, recipients: [A] }])
  expect(await statesOf(queueId)).toEqual({ [A]: 'queued', [B]: 'quarantined' })
  const leases = await backends.scanJobs.lease(10, untilTestEnds)
  expect(leases.map(({ job }) => job.recipients)).toEqual([[A]])
  const { job } = leases[0]!
  expect(releaseFault(KEY, { ...job, release: job.release! }, home.now())).toBeUndefined()
  const { events } = (await backends.records.get(queueId))!
  expect(events.at(-1)).toMatchObject({ event: 'operator', action: 'release', by: 'carol', recipients: [A] })
  expect(events.map(({ event }) => event)).not.toContain('released')
  expect(audits).toEqual([{ action: 'release', who: 'carol', queueId, recipients: [A] }])
})

test('of several recipients, none is released that was not named', async () => {
  const queueId = await quarantined([A, B])
  const unnamed = await run('quarantine/release', { ids: [queueId] })
  expect(unnamed).toMatchObject({ changed: [], unclear: [{ queueId, recipients: [A, B] }] })
  const stranger = await run('quarantine/release', { ids: [queueId], recipients: ['eve@evil.example'] })
  expect(stranger).toMatchObject({ changed: [], unknown: [`${queueId} eve@evil.example`] })
  expect(await statesOf(queueId)).toEqual({ [A]: 'quarantined', [B]: 'quarantined' })
  expect(audits).toEqual([])

  const all = await run('quarantine/release', { ids: [queueId], allRecipients: true })
  expect(all.changed).toEqual([{ queueId, recipients: [A, B] }])
  const leases = await backends.scanJobs.lease(10, untilTestEnds)
  expect(leases.map(({ job }) => job.recipients)).toEqual([[A], [B]])
})

test('a filter means the recipients that fit, of all messages', async () => {
  const both = await quarantined([A, C])
  const one = await quarantined([C], { why: 'Win.Test (ClamAV)' })
  expect(
    (await run('quarantine/release', { filter: { domain: 'other.example', reason: 'win.test' } })).changed,
  ).toEqual([{ queueId: one, recipients: [C] }])
  expect(await statesOf(both)).toEqual({ [A]: 'quarantined', [C]: 'quarantined' })
  await expect(run('quarantine/release', {})).rejects.toThrow('400')
  const dry = await run('quarantine/discard', { filter: { domain: 'other.example' }, dryRun: true })
  expect(dry.changed).toEqual([{ queueId: both, recipients: [C] }])
  expect(await statesOf(both)).toEqual({ [A]: 'quarantined', [C]: 'quarantined' })
})

test.each(['delivered', 'deleted', 'discarded', 'queued'] as const)(
  'what is %s already is told as that',
  async state => {
    const queueId = await quarantined([A, B])
    await backends.records.note(queueId, [], [{ recipient: A, state }])
    if (state === 'queued') {
      await backends.scanJobs.enqueue({ kind: 'scan', id: `${queueId}/scan/1`, queueId, recipients: [A], attempt: 1 })
    }
    const answer = await run('quarantine/release', { ids: [queueId], recipients: [A] })
    expect(answer).toMatchObject({ changed: [], ended: [{ queueId, recipient: A, state }] })
    expect(await statesOf(queueId)).toEqual({ [A]: state, [B]: 'quarantined' })
  },
)

test('two operators who release at once release once', async () => {
  const queueId = await quarantined([A])
  const answers = await Promise.all(['carol', 'dave'].map(who => run('quarantine/release', { ids: [queueId] }, who)))
  expect(answers.map(({ changed }) => changed.length).toSorted()).toEqual([0, 1])
  expect(await backends.scanJobs.tally()).toMatchObject({ incoming: { jobs: 1 } })
})

test('a discard takes the content with the last recipient', async () => {
  const queueId = await quarantined([A, B])
  await run('quarantine/discard', { ids: [queueId], recipients: [B] })
  expect(await statesOf(queueId)).toEqual({ [A]: 'quarantined', [B]: 'discarded' })
  expect(await hasContent(queueId)).toBe(true)
  await run('quarantine/discard', { ids: [queueId] }, 'dave')
  expect(await statesOf(queueId)).toEqual({ [A]: 'discarded', [B]: 'discarded' })
  expect(await hasContent(queueId)).toBe(false)
  const { events } = (await backends.records.get(queueId))!
  expect(events.slice(-2)).toMatchObject([
    { event: 'operator', action: 'discard', by: 'dave', recipients: [A] },
    { event: 'discarded', recipients: [A] },
  ])
  expect((await parts.metrics.quarantineDiscarded.get()).values[0]!.value).toBe(2)
})

test('lists are by recipient, with subject and reason, and can be searched', async () => {
  const old = await quarantined([A], { subject: '=?utf-8?q?Gr=C3=BC=C3=9Fe?=' })
  await home.advance(DAY)
  const young = await quarantined([A, C], { subject: 'evil\x1b[2J\u202e' })
  type List = { recipients: { queueId: string; recipient: string; subject: string; why: string }[]; next?: string }
  const ids = async (filter: object) =>
    (await run<List>('quarantine/list', { filter })).recipients.map(
      ({ queueId, recipient }) => `${queueId} ${recipient}`,
    )
  const { recipients } = await run<List>('quarantine/list', {})
  expect(recipients).toMatchObject([
    { queueId: old, recipient: A, subject: 'Grüße', why: SPAM },
    { queueId: young, recipient: A, subject: 'evil\\u{1b}[2J\\u{202e}' },
    { queueId: young, recipient: C },
  ])
  expect(await ids({ since: 3_600_000 })).toEqual([`${young} ${A}`, `${young} ${C}`])
  expect(await ids({ text: 'GRÜßE' })).toEqual([`${old} ${A}`])
  expect(await ids({ domain: 'other.example' })).toEqual([`${young} ${C}`])
  const page = await run<List>('quarantine/list', { limit: 2 })
  expect((await run<List>('quarantine/list', { after: page.next })).recipients).toMatchObject([{ recipient: C }])
})

test('only what is in quarantine is shown, and who looked is written down', async () => {
  const queueId = await quarantined([A])
  const { view } = await run<{ view: { parts: object[] } }>('quarantine/show', { id: queueId })
  expect(view.parts).toMatchObject([{ text: 'body\n' }])
  expect(audits).toMatchObject([{ action: 'show', who: 'carol', queueId }])
  await run('quarantine/discard', { ids: [queueId] })
  await expect(run('quarantine/show', { id: queueId })).rejects.toThrow('409')
  await expect(run('quarantine/show', { id: '../../etc/passwd' })).rejects.toThrow('404')
})

test('what nobody wanted is discarded when its time is over, counted from when it came into quarantine', async () => {
  const late = await storeMessage(backends, { recipients: [C], acceptedAt: home.now() })
  const old = await quarantined([A, B])
  await home.advance(20 * DAY)
  const why = 'Win.Test (ClamAV)'
  const event = { at: home.now(), event: 'quarantined', recipients: [C], why } as const
  await backends.records.note(late, [event], [{ recipient: C, state: 'quarantined' }])
  await refreshQuarantineGauges(parts)
  expect((await parts.metrics.quarantineSize.get()).values[0]!.value).toBe(3)
  expect((await parts.metrics.quarantineOldestAge.get()).values[0]!.value).toBeCloseTo((20 * DAY) / 1000, 0)

  await home.advance(10 * DAY + 1)
  expect(await expireQuarantine({ ...parts, keep: 0 })).toBe(0)
  expect(await expireQuarantine({ ...parts, keep: 30 * DAY })).toBe(2)
  expect(await statesOf(old)).toEqual({ [A]: 'discarded', [B]: 'discarded' })
  expect(await hasContent(old)).toBe(false)
  expect((await backends.records.get(old))!.events.at(-1)).toMatchObject({
    event: 'discarded',
    why: 'nobody released it within 30d',
  })
  expect(await statesOf(late)).toEqual({ [C]: 'quarantined' })
  await home.advance(20 * DAY)
  expect(await expireQuarantine({ ...parts, keep: 30 * DAY })).toBe(1)
  expect((await parts.metrics.quarantineExpired.get()).values[0]!.value).toBe(3)
})
