// What an operator's acts do to the spool: per recipient, as one write, and with a ledger that balances after each.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { HELD, type Job } from '../../src/mail/job.ts'
import type { RecipientState, TraceEvent } from '../../src/mail/record.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { readLedger } from '../../src/spool/ledger.ts'
import { createOperations, runOperation } from '../../src/spool/operations.ts'
import type { ChangeAnswer } from '../../src/spool/queue-operations.ts'
import { type Sweeper, startSweeper, sweepDeferred } from '../../src/spool/sweep.ts'
import type { Backends } from '../../src/storage/backends.ts'
import { untilTestEnds } from '../contract/home.ts'
import { embeddedHome } from '../storage/embedded-home.ts'
import { storeMessage } from '../storage/stored-message.ts'
import { HOUR, storeDeferred, storeQueued } from './queued-mail.ts'

const [A, B, C] = ['a@example.com', 'b@example.com', 'c@other.example'] as const

let home: Awaited<ReturnType<typeof embeddedHome>>
let backends: Backends
let sweeper: Sweeper
let run: <T = ChangeAnswer>(name: string, input: object, who?: string) => Promise<T>
beforeEach(async () => {
  home = await embeddedHome()
  await open()
})
afterEach(async () => {
  // Whatever was done: nothing is lost, nothing is counted twice.
  expect(await readLedger(backends)).toMatchObject({ imbalance: 0 })
  await close()
  await home.dispose()
})

async function open() {
  backends = await home.open()
  sweeper = startSweeper(backends, home.now, HOUR, silentLog)
  const { alone } = sweeper
  const parts = { backends, now: home.now, log: silentLog, metrics: createMetrics(), alone }
  const operations = createOperations(parts)
  run = async (name, input, who = 'carol') => {
    const { status, body } = await runOperation(operations, name, input, who)
    if (status !== 200) throw new Error(`${status} ${(body as { error: string }).error}`)
    return body as never
  }
}

async function close() {
  await sweeper.stop()
  await backends.close()
}

const deferred = (recipients: readonly string[]) => storeDeferred(backends, home, recipients)
const queued = (recipients: readonly string[], kind?: Job['kind']) => storeQueued(backends, home, recipients, kind)

async function statesOf(queueId: string): Promise<Record<string, RecipientState>> {
  const record = await backends.records.get(queueId)
  return Object.fromEntries(record!.recipients.map(({ recipient, state }) => [recipient, state]))
}

async function events(queueId: string): Promise<TraceEvent[]> {
  return (await backends.records.get(queueId))!.events.filter(({ event }) => event === 'operator')
}

const balanced = async () => expect(await readLedger(backends)).toMatchObject({ imbalance: 0 })
const hasContent = (queueId: string) =>
  backends.messages.open(queueId).then(
    () => true,
    () => false,
  )

describe('hold and release', () => {
  test.each([
    ['deferred', deferred],
    ['queued for delivery', queued],
    ['queued for the scanners', (recipients: readonly string[]) => queued(recipients, 'scan')],
  ])('a message that is %s rests until it is released, over a restart', async (_, make) => {
    const queueId = await make([A, C])
    expect(await run('queue/hold', { ids: [queueId] })).toMatchObject({ messages: 1, recipients: 2, busy: [] })
    expect(await statesOf(queueId)).toEqual({ [A]: 'held', [C]: 'held' })
    await balanced()
    await close()
    await home.advance(1000 * HOUR)
    await open()
    await sweeper.flushScans()
    expect(await sweepDeferred(backends, Number.MAX_SAFE_INTEGER)).toBe(0)
    expect(await readLedger(backends)).toMatchObject({ held: 2, queued: { incoming: 0, active: 0, deferred: 0 } })

    expect(await run('queue/release', { ids: [queueId] })).toMatchObject({ messages: 1, recipients: 2 })
    expect(await statesOf(queueId)).toEqual({ [A]: 'queued', [C]: 'queued' })
    expect(await readLedger(backends)).toMatchObject({ held: 0, queued: { incoming: 2 } })
    expect(await events(queueId)).toMatchObject([
      { action: 'hold', by: 'carol', recipients: [A, C] },
      { action: 'release', by: 'carol', recipients: [A, C] },
    ])
  })

  test.each([
    ['deferred', deferred],
    ['queued', queued],
  ])('some recipients of a message that is %s rest, the others go on', async (state, make) => {
    const queueId = await make([A, B, C])
    expect(await run('queue/hold', { filter: { domain: 'Other.example' } })).toMatchObject({
      changed: [{ queueId, recipients: [C] }],
    })
    expect(await statesOf(queueId)).toEqual({ [A]: state, [B]: state, [C]: 'held' })
    await balanced()
    expect(await run('queue/hold', { filter: { recipient: B } })).toMatchObject({ recipients: 1 })
    await balanced()
    await run('queue/release', { ids: [queueId] })
    await sweepDeferred(backends, home.now() + 2 * HOUR)
    const leases = await backends.deliveryJobs.lease(9, untilTestEnds)
    expect(leases.map(({ job }) => [...job.recipients]).toSorted()).toEqual([[A], [B], [C]])
    expect(new Set(leases.map(({ job }) => job.id)).size).toBe(3)
    expect(leases.map(({ tries }) => tries)).toEqual([1, 1, 1])
  })

  test('what a verdict has held goes to the scanners again', async () => {
    const queueId = await storeMessage(backends, { recipients: [A, B], acceptedAt: home.now() })
    await backends.records.note(
      queueId,
      [],
      [A, B].map(recipient => ({ recipient, state: 'held' })),
    )
    await run('queue/release', { filter: { recipient: A } })
    expect(await statesOf(queueId)).toEqual({ [A]: 'queued', [B]: 'held' })
    await balanced()
    await run('queue/release', { ids: [queueId] })
    const leases = await backends.scanJobs.lease(9, untilTestEnds)
    expect(leases.map(({ job }) => job.recipients)).toEqual([[A], [B]])
  })

  test('what a worker has at the moment is busy, and stays with him', async () => {
    const queueId = await queued([A])
    const [lease] = await backends.deliveryJobs.lease(1, untilTestEnds)
    for (const act of ['hold', 'delete']) {
      expect(await run(`queue/${act}`, { ids: [queueId] })).toMatchObject({ messages: 0, busy: [queueId] })
    }
    expect(await run('queue/reroute', { ids: [queueId], to: 'smtp://127.0.0.1:25' })).toMatchObject({ busy: [queueId] })
    expect(await statesOf(queueId)).toEqual({ [A]: 'queued' })
    expect(await events(queueId)).toEqual([])
    expect(await backends.deliveryJobs.extend(lease!)).toBe(true)
  })
})

test('a retry makes the next attempt due, and leaves what is held', async () => {
  const [first, second] = [await deferred([A]), await deferred([C])]
  await run('queue/hold', { ids: [second] })
  expect(await run('queue/retry', { all: true })).toMatchObject({ messages: 1, changed: [{ queueId: first }] })
  expect(await sweepDeferred(backends, home.now())).toBe(1)
  expect((await backends.deliveryJobs.lease(9, untilTestEnds)).map(({ job }) => [job.queueId, job.attempt])).toEqual([
    [first, 2],
  ])
})

describe('delete', () => {
  test.each([
    ['deferred', deferred],
    ['queued', queued],
    [
      'held',
      async (recipients: readonly string[]) => {
        const queueId = await deferred(recipients)
        await run('queue/hold', { ids: [queueId] })
        return queueId
      },
    ],
  ])('takes recipients away that are %s, and the content with the last one', async (_, make) => {
    const queueId = await make([A, C])
    expect(await run('queue/delete', { filter: { recipient: A } })).toMatchObject({ recipients: 1 })
    expect(await statesOf(queueId)).toMatchObject({ [A]: 'deleted' })
    expect(await hasContent(queueId)).toBe(true)
    await balanced()
    expect(await run('queue/delete', { ids: [queueId] })).toMatchObject({ recipients: 1 })
    expect(await hasContent(queueId)).toBe(false)
    expect(await readLedger(backends)).toMatchObject({ deleted: 2, held: 0, queued: { incoming: 0, deferred: 0 } })
    expect(await run('queue/delete', { ids: [queueId] })).toMatchObject({ messages: 0, unknown: [queueId] })
  })

  test('takes dead letters, too', async () => {
    const queueId = await queued([A])
    const [lease] = await backends.deliveryJobs.lease(1, untilTestEnds)
    await backends.deliveryJobs.deadLetter(lease!, 'poison')
    expect(await run('queue/delete', { ids: [queueId] })).toMatchObject({ messages: 1 })
    expect(await readLedger(backends)).toMatchObject({ deleted: 1, queued: { deadLetters: 0 } })
  })
})

describe('reroute', () => {
  const to = 'smtp://192.0.2.9:25'

  test('sends a job elsewhere, at once, and on every later attempt', async () => {
    const [first, second] = [await deferred([A, C]), await queued([B])]
    expect(await run('queue/reroute', { all: true, to })).toMatchObject({ messages: 2, unfit: [] })
    await balanced()
    await sweepDeferred(backends, home.now())
    const leases = await backends.deliveryJobs.lease(9, untilTestEnds)
    expect(leases.map(({ job }) => [job.queueId, job.to]).toSorted()).toEqual(
      [
        [first, to],
        [second, to],
      ].toSorted(),
    )
    expect(await events(first)).toMatchObject([{ action: 'reroute', why: `to ${to}` }])
  })

  test('leaves what is held where it is, with its new way', async () => {
    const queueId = await deferred([A])
    await run('queue/hold', { ids: [queueId] })
    await run('queue/reroute', { ids: [queueId], to })
    expect(await backends.records.deferralsOf(queueId)).toMatchObject([{ dueAt: HELD, job: { to } }])
    expect(await statesOf(queueId)).toEqual({ [A]: 'held' })
  })

  test('is not for what is not scanned yet', async () => {
    const queueId = await queued([A], 'scan')
    expect(await run('queue/reroute', { ids: [queueId], to })).toMatchObject({ messages: 0, unfit: [queueId] })
    expect((await backends.scanJobs.lease(1, untilTestEnds))[0]).toMatchObject({ tries: 1, job: { queueId } })
  })

  test.each(['mx:', 'maildir:/tmp/x', 'smtp://192.0.2.9', 'example.com'])('not to %s', async bad => {
    await expect(run('queue/reroute', { all: true, to: bad })).rejects.toThrow(/^400 to: /)
  })
})

describe('what is meant', () => {
  test('nothing named is refused, and so is what nobody knows', async () => {
    await deferred([A])
    for (const input of [{}, { filter: {} }, { dryRun: true }]) {
      await expect(run('queue/delete', input)).rejects.toThrow('400 name queue ids or a filter')
    }
    await expect(run('queue/delete', { everything: true })).rejects.toThrow('400')
    await expect(run('queue/explode', {})).rejects.toThrow('404')
    await expect(run('constructor', {})).rejects.toThrow('404')
    await expect(run('queue/show', { id: '../../etc' })).rejects.toThrow('404')
  })

  test('a dry run lists and changes nothing', async () => {
    const queueId = await deferred([A, C])
    const input = { filter: { domain: 'example.com' }, dryRun: true }
    expect(await run('queue/delete', input)).toMatchObject({ messages: 1, changed: [{ queueId, recipients: [A] }] })
    expect(await statesOf(queueId)).toEqual({ [A]: 'deferred', [C]: 'deferred' })
    expect(await events(queueId)).toEqual([])
  })

  test('by reply, next hop and age', async () => {
    const [first, second] = [await deferred([A]), await deferred([B])]
    const event = { event: 'deferred', stage: 'delivery', attempt: 1, dueAt: 0, at: 0 } as const
    const full = { ...event, recipients: [A], why: '452 4.2.2 Mailbox FULL', nextHop: 'smtp://one.example:25' }
    await backends.records.note(first, [full], [])
    await backends.records.note(
      second,
      [{ ...full, recipients: [B], why: '451 no', nextHop: 'smtp://two.example:25' }],
      [],
    )
    await home.advance(HOUR)
    await deferred([C])
    const meant = async (filter: object) =>
      (await run('queue/hold', { filter, dryRun: true })).changed.map(({ queueId }) => queueId)
    expect(await meant({ reason: 'mailbox full' })).toEqual([first])
    expect(await meant({ route: 'two.example' })).toEqual([second])
    expect(await meant({ olderThan: HOUR - 1 })).toEqual([first, second])
    expect(await meant({ route: 'two.example', reason: '452' })).toEqual([])
  })

  test('a selection of many goes page by page, and takes no message apart', async () => {
    const many = Array.from({ length: 300 }, (_, n) => `r${n}@example.com`)
    const ids = [await deferred(many), await deferred(many), await deferred([A])]
    const first = await run('queue/hold', { all: true })
    const second = await run('queue/hold', { all: true, after: first.next })
    expect(second.next).toBeUndefined()
    const changed = [...first.changed, ...second.changed]
    expect(changed.map(({ queueId, recipients }) => [queueId, recipients.length])).toEqual([
      [ids[0], 300],
      [ids[1], 300],
      [ids[2], 1],
    ])
    expect(await readLedger(backends)).toMatchObject({ held: 601 })
  })
})

test('two operators at once and a sweep: one end for each recipient', async () => {
  const ids = []
  for (let n = 0; n < 20; n++) ids.push(n % 2 === 0 ? await deferred([A, C]) : await queued([A, C]))
  const answers = await Promise.all([
    run('queue/delete', { filter: { domain: 'example.com' } }, 'carol'),
    sweeper.alone(() => sweepDeferred(backends, home.now() + 2 * HOUR)),
    run('queue/hold', { all: true }, 'dave'),
    run('queue/delete', { ids }, 'carol'),
    run('queue/release', { all: true }, 'dave'),
  ])
  expect(answers).toHaveLength(5)
  await balanced()
  const ends = await Promise.all(ids.map(statesOf))
  expect(new Set(ends.map(states => states[A]))).toEqual(new Set(['deleted']))
})
