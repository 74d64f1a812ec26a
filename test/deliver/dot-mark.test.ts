// The mark before the final dot: no dot without it, and none for a worker that has lost its right to send.
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { openEmbedded } from '../../src/backends.ts'
import { createDeliverer } from '../../src/deliver/deliverer.ts'
import { createDeliveryHandler } from '../../src/deliver/delivery-job.ts'
import type { DotMark } from '../../src/deliver/dot-mark.ts'
import { createReporter } from '../../src/deliver/report.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { storeMessage } from '../storage/stored-message.ts'
import { deliverOnce, HOSTNAME, told } from './messages.ts'
import { type NextHop, type Script, startNextHop } from './next-hop.ts'

let directory: string
let hop: NextHop
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'elemta-dot-'))
})
afterEach(async () => {
  await hop?.close()
  await rm(directory, { recursive: true, force: true })
})

const BOTH = ['a@example.com', 'b@example.com']

/** Where mail goes, and what arrived there. */
async function destination(kind: 'smtp' | 'lmtp' | 'maildir', script: Script = {}) {
  hop = await startNextHop({ ...script, lmtp: kind === 'lmtp' })
  if (kind !== 'maildir') return { to: hop.url, arrived: async () => hop.messages.length }
  const maildir = join(directory, 'maildir')
  const arrived = async () => (await readdir(join(maildir, 'new'))).length
  return { to: `maildir:${maildir}`, arrived }
}

function markThat(set: DotMark['set']) {
  const cleared: string[] = []
  const mark: DotMark = { set, clear: async recipients => void cleared.push(...recipients) }
  return { mark, cleared }
}

describe.each(['smtp', 'lmtp', 'maildir'] as const)('%s:', kind => {
  test('the mark is set for all recipients before anything can arrive', async () => {
    const { to, arrived } = await destination(kind)
    const marked: string[] = []
    const { mark, cleared } = markThat(async (recipients, nextHop) => {
      expect(nextHop).toBe(to)
      if (marked.length === 0) expect(await arrived()).toBe(0)
      marked.push(...recipients)
    })
    const outcomes = await deliverOnce({ to, recipients: BOTH, mark })
    expect([...outcomes.values()].map(outcome => outcome.kind)).toEqual(['delivered', 'delivered'])
    expect([marked.toSorted(), cleared]).toEqual([BOTH, []])
  })

  test('without the mark no dot, and no outcome', async () => {
    const { to, arrived } = await destination(kind)
    const { mark } = markThat(() => Promise.reject(new Error('the claim is lost')))
    await expect(deliverOnce({ to, recipients: BOTH, mark })).rejects.toThrow('the claim is lost')
    await Promise.all([...hop.open].map(socket => once(socket, 'close')))
    expect(await arrived()).toBe(0)
  })

  test('a lease that is lost while the mark is written: no dot, and the mark is taken away', async () => {
    const { to, arrived } = await destination(kind)
    const lease = new AbortController()
    const marked: string[] = []
    const { mark, cleared } = markThat(async recipients => {
      marked.push(...recipients)
      lease.abort(new Error('the lease was lost'))
    })
    const delivery = deliverOnce({ to, recipients: BOTH, mark, signal: lease.signal })
    await expect(delivery).rejects.toThrow('the lease was lost')
    await Promise.all([...hop.open].map(socket => once(socket, 'close')))
    expect(await arrived()).toBe(0)
    expect(cleared.toSorted()).toEqual(marked.toSorted())
  })
})

test('a lease that is lost before the content: no mark, no dot', async () => {
  const lease = new AbortController()
  const data = () => {
    lease.abort(new Error('the lease was lost'))
    return '354 Go'
  }
  const { to, arrived } = await destination('smtp', { data })
  const { mark } = markThat(() => Promise.reject(new Error('nothing is to be sent')))
  await expect(deliverOnce({ to, mark, signal: lease.signal })).rejects.toThrow('the lease was lost')
  await Promise.all([...hop.open].map(socket => once(socket, 'close')))
  expect(await arrived()).toBe(0)
})

describe('behind the dot', () => {
  test('a next hop that goes away without a word leaves doubt', async () => {
    const { to } = await destination('smtp', { dot: { cut: '' } })
    const outcomes = await deliverOnce({ to, recipients: BOTH })
    expect(told(outcomes)).toEqual(BOTH.map(() => 'deferred: connection closed by the next hop'))
    expect([...outcomes.values()].map(({ inDoubt }) => inDoubt)).toEqual([true, true])
  })

  test('only for those of whom it said nothing', async () => {
    const dot = (said: string) => (said.includes('a@example.com') ? '250 Ok' : { cut: '' })
    const { to } = await destination('lmtp', { dot })
    const outcomes = await deliverOnce({ to, recipients: BOTH })
    expect([...outcomes.values()].map(({ kind, inDoubt }) => [kind, inDoubt])).toEqual([
      ['delivered', undefined],
      ['deferred', true],
    ])
  })

  test.each<Script>([{ dot: '451 Later' }, { dot: '421 Closing' }, { rcpt: { cut: '' } }, { data: { cut: '' } }])(
    'no doubt: %o',
    async script => {
      const { to } = await destination('smtp', script)
      const [outcome] = (await deliverOnce({ to })).values()
      expect(outcome).toMatchObject({ kind: 'deferred' })
      expect(outcome).not.toHaveProperty('inDoubt')
    },
  )
})

test('a worker whose claim somebody else has taken sends no dot', async () => {
  const backends = await openEmbedded({ dataDir: join(directory, 'data'), now: Date.now })
  onTestFinished(() => backends.close())
  const queueId = await storeMessage(backends, { recipients: ['bob@example.com'] })
  const later = Date.now() + 60_000
  const taken = () => backends.records.claim(queueId, ['bob@example.com'], { claimant: 'other', until: later }, later)
  let claimed: Promise<unknown> | undefined
  const { to, arrived } = await destination('smtp', {
    mail: () => {
      claimed = taken()
      return '250 Ok'
    },
  })
  const deliverer = createDeliverer({ hostname: HOSTNAME, routes: [{ domains: ['*'], to }] })
  onTestFinished(() => deliverer.close())
  const common = { backends, log: silentLog, metrics: createMetrics(), now: Date.now }
  const lifetime = 3_600_000
  const report = {
    hostname: HOSTNAME,
    enabled: true,
    perSender: { amount: 20, period: 1000 },
    delayWarning: 0,
    lifetime,
  }
  const handle = createDeliveryHandler({
    ...common,
    deliverer,
    reporter: createReporter({ ...common, ...report }),
    retrySchedule: { delays: [1000], lifetime },
    claimTime: 1000,
  })
  const job = { kind: 'delivery', queueId, recipients: ['bob@example.com'], attempt: 1, headers: [] } as const
  await backends.deliveryJobs.enqueue({ ...job, id: `${queueId}/delivery/1` })
  const [lease] = await backends.deliveryJobs.lease(1, new AbortController().signal)

  await expect(handle(lease!, new AbortController().signal)).rejects.toThrow('the claim on a recipient')
  expect(await claimed).toHaveLength(1)
  await Promise.all([...hop.open].map(socket => once(socket, 'close')))
  expect(await arrived()).toBe(0)
  expect((await backends.records.get(queueId))?.recipients).toEqual([{ recipient: 'bob@example.com', state: 'queued' }])
})
