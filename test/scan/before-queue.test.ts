// Asking the scanners while a client waits: what comes of verdicts, of slow scanners and of many clients at once.
import { expect, test } from 'vitest'
import type { AcceptedMessage } from '../../src/mail/record.ts'
import type { Finding } from '../../src/mail/verdict.ts'
import { createLimit } from '../../src/platform/limit.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { type BeforeQueueOptions, createBeforeQueueScan } from '../../src/scan/before-queue.ts'
import { couldNotScan, type Scanner } from '../../src/scan/scanner.ts'
import type { ClamavPolicy } from '../../src/scan/verdict.ts'
import type { Content } from '../../src/storage/message-store.ts'

const message: AcceptedMessage = {
  queueId: 'Q1',
  acceptedAt: 1000,
  client: { address: '203.0.113.9', port: 40_000, helo: 'mail.sender.test', esmtp: true },
  envelope: {
    reversePath: 'ann@sender.test',
    smtputf8: false,
    body: '7BIT',
    recipients: [{ address: 'bob@example.com' }, { address: 'carol@example.com' }],
  },
  size: 5,
}

const content: Content = {
  size: 5,
  async *chunks() {
    yield Buffer.from('Hello')
  },
}

const clean: Finding = { scanner: 'clamav', kind: 'clean' }
const virus: Finding = { scanner: 'clamav', kind: 'virus', signature: 'Evil' }

type Setup = Partial<Pick<BeforeQueueOptions, 'wait' | 'limit'>> & {
  scan?: Scanner['scan']
  action?: ClamavPolicy['action']
}

function scanning({
  scan = async () => clean,
  action = 'reject',
  wait = () => 10_000,
  limit = createLimit(4),
}: Setup = {}) {
  const metrics = createMetrics()
  const written: unknown[] = []
  const noting =
    (what: string) =>
    async (...args: readonly unknown[]) =>
      void written.push([what, ...args])
  const scanner: Scanner = { name: 'clamav', scan, ping: async () => ({ ok: true, detail: '' }), close: async () => {} }
  const ask = createBeforeQueueScan({
    backends: { records: { note: noting('note') }, deliveryJobs: { enqueue: noting('deliver') } } as never,
    scanners: [scanner],
    policy: { clamav: { action, heuristics: 'quarantine', onError: 'defer' } },
    wait,
    limit,
    logClean: false,
    now: () => 2000,
    log: silentLog,
    metrics,
  })
  const metric = async (series: string) => {
    const line = (await metrics.registry.metrics()).split('\n').find(text => text.startsWith(`${series} `))
    return Number(line?.split(' ').at(-1))
  }
  return {
    ask: (from = content) => ask(message, from),
    written,
    counted: (outcome: string) => metric(`elemta_before_queue_scans_total{outcome="${outcome}"}`),
    verdicts: (decision: string) => metric(`elemta_verdicts_total{decision="${decision}"}`),
  }
}

test('clean: the verdict and one delivery for all recipients are to be written, and nothing is before it is asked for', async () => {
  const { ask, written, counted, verdicts } = scanning()
  const answer = await ask()
  if (answer.outcome !== 'accept') throw new Error(answer.outcome)
  expect(answer.keepContent).toBe(true)
  expect(written).toEqual([])
  for (const write of answer.writes) await write()
  expect(written).toMatchObject([
    [
      'note',
      'Q1',
      [
        { event: 'scanned', findings: [clean] },
        { event: 'verdict', decision: 'deliver' },
      ],
      [
        { recipient: 'bob@example.com', state: 'queued' },
        { recipient: 'carol@example.com', state: 'queued' },
      ],
    ],
    ['deliver', { queueId: 'Q1', recipients: ['bob@example.com', 'carol@example.com'], attempt: 1 }],
  ])
  expect([await counted('accepted'), await verdicts('deliver')]).toEqual([1, 0])
  answer.told()
  expect(await verdicts('deliver')).toBe(1)
})

test('a virus is refused, or dropped where that is wanted', async () => {
  const scan = async () => virus
  const refusing = scanning({ scan })
  expect(await refusing.ask()).toMatchObject({ outcome: 'reject', reply: { code: 554 }, why: 'Evil (ClamAV)' })
  expect(await refusing.counted('rejected')).toBe(1)
  expect(await scanning({ scan, action: 'discard' }).ask()).toMatchObject({ outcome: 'accept', keepContent: false })
})

test('a scanner that cannot scan: to the queue', async () => {
  const { ask, counted } = scanning({ scan: async () => couldNotScan('clamav', 'unreachable', 'nobody there') })
  expect(await ask()).toEqual({ outcome: 'queue', why: 'ClamAV could not scan (unreachable): nobody there' })
  expect(await counted('queued')).toBe(1)
})

test('when the time is up the scan is given up, and what it says later changes nothing', async () => {
  let given: AbortSignal | undefined
  let answer: (finding: Finding) => void = () => {}
  const { ask, counted } = scanning({
    wait: () => 10,
    scan: (_message, _content, signal) => {
      given = signal
      return new Promise(resolve => {
        answer = resolve
      })
    },
  })
  expect(await ask()).toEqual({ outcome: 'queue', why: 'the scanners took longer than scan.wait' })
  expect(given?.aborted).toBe(true)
  answer(virus)
  expect([await counted('queued'), await counted('rejected')]).toEqual([1, 0])
})

test('a client whose turn at the scanners never comes waits no longer than the others, and is not scanned then', async () => {
  const limit = createLimit(1)
  let release = () => {}
  const busy = limit(() => new Promise<void>(resolve => (release = resolve)))
  let scans = 0
  const { ask } = scanning({
    limit,
    wait: () => 10,
    scan: async () => {
      scans++
      return clean
    },
  })
  expect(await ask()).toMatchObject({ outcome: 'queue' })
  release()
  await busy
  await limit(async () => {})
  expect(scans).toBe(0)
})

test('the time is that of the configuration as it is now', async () => {
  let wait = 10_000
  const { ask } = scanning({
    wait: () => wait,
    scan: () => (wait === 10_000 ? Promise.resolve(clean) : new Promise(() => {})),
  })
  expect(await ask()).toMatchObject({ outcome: 'accept' })
  wait = 10
  expect(await ask()).toMatchObject({ outcome: 'queue' })
})

test('a content that cannot be read is an error, not a verdict', async () => {
  const unreadable = {
    size: 5,
    // biome-ignore lint/correctness/useYield: it fails before
    async *chunks(): AsyncGenerator<Buffer> {
      throw new Error('disk I/O error')
    },
  }
  await expect(scanning().ask(unreadable)).rejects.toThrow('disk I/O error')
})
