// scan.wait: the scanners are asked while the client waits. What is bad is refused, what is clean goes out at once, and
// what cannot be told in time is taken and scanned later: no mail is lost, passed unscanned, or delivered twice.
import { readdir, rm } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import { freePort } from '../../local/embedded/port.ts'
import type { CrashPoint } from '../../src/platform/crash-point.ts'
import { type Dialogue, inData } from '../ingress/dialogue.ts'
import { standIn } from '../scan/stand-in.ts'
import { type Gateway, type GatewayOptions, startGateway, temporaryDirectory } from './gateway.ts'
import { EICAR, gtube, mail, mailWithAttachment, onTheWire, readMail, send } from './mail.ts'
import { type Answer, rspamdThatSays } from './rspamd-stand-in.ts'
import { withScanners } from './scanners.ts'

const clamav = inject('clamav')
const rspamd = inject('rspamd')
const LARGE = `${'All is well. '.repeat(5)}\r\n`.repeat(2000)
const EMPTY_QUEUES = { incoming: 0, active: 0, deferred: 0, deadLetters: 0 }

type Settings = Record<string, unknown>

const waiting = (clamav?: Settings, rspamd?: Settings, scan: Settings = {}): GatewayOptions['config'] & {} => {
  return { ...withScanners(clamav, rspamd), scan: { wait: '15s', retry_schedule: ['200ms'], ...scan } }
}

const scans = (gateway: Gateway, outcome: string) =>
  gateway.metric(`elemta_before_queue_scans_total{outcome="${outcome}"}`)

/** Names of contents in files. */
async function spooled({ directory }: Gateway): Promise<string[]> {
  return (await readdir(join(directory, 'data'), { recursive: true })).filter(name => /[0-9A-Z]{20}/.test(name))
}

async function nothingKept(gateway: Gateway, reply: string): Promise<void> {
  const queueId = /\((\w{20})\)$/.exec(reply)?.[1]
  expect(await gateway.record(queueId!)).toBeUndefined()
  await expect.poll(() => spooled(gateway)).toEqual([])
}

describe('with the real scanners', () => {
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await startGateway({
      config: waiting({ ...clamav, action: 'reject' }, { ...rspamd, action: 'reject' }),
    })
  })
  afterAll(() => gateway?.[Symbol.asyncDispose]())

  test.each([
    [
      'a virus',
      mailWithAttachment('a.com', Buffer.from(EICAR)),
      /^554 5\.7\.1 Message refused: it contains Eicar[\w-]+/,
    ],
    [
      'a virus in a large message',
      mailWithAttachment('a.txt', Buffer.from(`${LARGE}`)).replace('See the file.', EICAR),
      /^554 5\.7\.1 .*Eicar/,
    ],
    ['spam', mail({ body: `${gtube()}\r\n` }), /^554 5\.7\.1 Message refused: it looks like spam/],
    [
      'large spam',
      mailWithAttachment('a.txt', Buffer.from(LARGE)).replace('See the file.', gtube()),
      /^554 5\.7\.1 Message refused: it looks like spam/,
    ],
  ])('%s is refused with the reason, and nothing of it is kept', async (what, content, refusal) => {
    expect(content.length > 65_536).toBe(what.includes('large'))
    const before = await gateway.ledger()
    const { reply } = await send(gateway.port, { content })
    expect(reply).toMatch(refusal)
    await nothingKept(gateway, reply)
    expect((await gateway.ledger()).accepted).toBe(before.accepted)
    const queueId = /\((\w{20})\)$/.exec(reply)![1]
    const line = await gateway.log(({ event, queueId: id }) => event === 'rejected' && id === queueId)
    expect(line).toMatchObject({ stage: 'data', recipients: 1, why: expect.stringMatching(/\((ClamAV|Rspamd)\)$/) })
  })

  test.each([
    ['small', mail()],
    ['large', mail({ body: LARGE })],
  ])('a %s clean message goes out at once with what the scanners said, and is scanned once', async (_what, content) => {
    const scanned = await gateway.metric('elemta_clamav_scans_total')
    const { queueId } = await send(gateway.port, { content })
    const { events } = await gateway.settled(queueId, 'delivered')
    expect(events.map(({ event }) => event)).toEqual(['accepted', 'scanned', 'verdict', 'delivered'])
    const copies = (await gateway.maildir()).map(readMail).filter(({ header }) => header.includes(queueId))
    expect(copies).toHaveLength(1)
    expect(copies[0]!.field('X-Virus-Status')).toEqual(['Clean'])
    expect(copies[0]!.field('X-Spam-Status')).toEqual([expect.stringMatching(/^No, score=/)])
    expect(copies[0]!.body.equals(readMail(Buffer.from(content)).body)).toBe(true)
    expect(await gateway.metric('elemta_clamav_scans_total')).toBe(scanned + 1)
  })

  test('20 MB, too', async () => {
    const content = mail({ body: LARGE.repeat(150) })
    expect(content.length).toBeGreaterThan(20_000_000)
    const { queueId, reply } = await send(gateway.port, { content })
    expect(reply).toMatch(/^250 /)
    await gateway.settled(queueId, 'delivered')
  })

  test('all of it is counted', async () => {
    expect([
      await scans(gateway, 'rejected'),
      await scans(gateway, 'accepted'),
      await scans(gateway, 'queued'),
    ]).toEqual([4, 3, 0])
    expect(await gateway.metric('elemta_messages_rejected_total{stage="data"}')).toBe(4)
    expect(await gateway.ledger()).toMatchObject({ accepted: 3, delivered: 3, imbalance: 0, queued: EMPTY_QUEUES })
  })
})

test('action: quarantine is no refusal: 250, and kept', async () => {
  await using gateway = await startGateway({ config: waiting({ ...clamav, action: 'quarantine' }, rspamd) })
  for (const content of [mail({ body: `${gtube()}\r\n` }), mailWithAttachment('a.com', Buffer.from(EICAR))]) {
    const { queueId } = await send(gateway.port, { content })
    const { events } = await gateway.settled(queueId, 'quarantined')
    expect(events.map(({ event }) => event)).toEqual(['accepted', 'scanned', 'verdict', 'quarantined'])
  }
  expect(await gateway.ledger()).toMatchObject({ accepted: 2, quarantined: 2, imbalance: 0 })
  expect(await gateway.metric('elemta_verdicts_total{decision="quarantine"}')).toBe(2)
})

test.each([
  ['small', mailWithAttachment('a.com', Buffer.from(EICAR))],
  ['large', mailWithAttachment('a.txt', Buffer.from(LARGE)).replace('See the file.', EICAR)],
])('action: discard is 250, and nothing of a %s message is kept but its record', async (_what, content) => {
  await using gateway = await startGateway({ config: waiting({ ...clamav, action: 'discard' }) })
  const { queueId } = await send(gateway.port, { content })
  const { events } = await gateway.settled(queueId, 'discarded')
  expect(events.map(({ event }) => event)).toEqual(['accepted', 'scanned', 'verdict', 'discarded'])
  await expect.poll(() => spooled(gateway)).toEqual([])
  expect(await gateway.ledger()).toMatchObject({ accepted: 1, discarded: 1, imbalance: 0, queued: EMPTY_QUEUES })
  expect(await gateway.maildir()).toEqual([])
})

describe('what rspamd wants to see again', () => {
  const said: [what: string, answer: Answer][] = [
    ['a soft reject', { action: 'soft reject' }],
    ['a soft reject without a look', { action: 'soft reject', symbols: { GREYLIST: { score: 0 } } }],
  ]

  test.each(said)(
    '%s: 451 4.7.1, nothing kept, and taken when it has nothing against it any more',
    async (_what, first) => {
      let answer = first
      await using stand = await rspamdThatSays(() => answer)
      await using gateway = await startGateway({ config: waiting(clamav, { host: '127.0.0.1', port: stand.port }) })
      const content = mail()
      const { reply } = await send(gateway.port, { content })
      expect(reply).toMatch(/^451 4\.7\.1 /)
      await nothingKept(gateway, reply)
      expect(await scans(gateway, 'deferred')).toBe(1)
      answer = { action: 'no action' }
      const { queueId } = await send(gateway.port, { content })
      await gateway.settled(queueId, 'delivered')
      expect(await gateway.ledger()).toMatchObject({ accepted: 1, delivered: 1, imbalance: 0 })
    },
  )

  test('nobody can be asked to come again once a message was accepted', async () => {
    await using stand = await rspamdThatSays(() => ({ action: 'soft reject' }))
    const config = waiting(clamav, { host: '127.0.0.1', port: stand.port }, { wait: '0s' })
    await using gateway = await startGateway({ config })
    const { queueId } = await send(gateway.port, { content: mail() })
    await gateway.settled(queueId, 'delivered')
  })

  test('the word greylist of an rspamd that does no greylisting defers nobody for ever', async () => {
    await using stand = await rspamdThatSays(() => ({ action: 'greylist', score: 5 }))
    await using gateway = await startGateway({ config: waiting(clamav, { host: '127.0.0.1', port: stand.port }) })
    const { queueId } = await send(gateway.port, { content: mail() })
    await gateway.settled(queueId, 'delivered')
  })
})

describe('no verdict in time', () => {
  test('scanners that never answer: 250 after scan.wait, and scanned from the queue', async () => {
    await using silent = await standIn(socket => socket.resume())
    const config = waiting({ host: '127.0.0.1', port: silent.port, timeout: '30s' }, undefined, { wait: '300ms' })
    await using gateway = await startGateway({ config })
    const { queueId } = await send(gateway.port, { content: mail() })
    const { recipients, events } = (await gateway.record(queueId))!
    expect(recipients.map(({ state }) => state)).toEqual(['queued'])
    expect(events.map(({ event }) => event)).toEqual(['accepted'])
    expect(await gateway.log(({ event }) => event === 'scan-queued')).toMatchObject({ queueId })
    expect(await scans(gateway, 'queued')).toBe(1)
    expect(await gateway.maildir()).toEqual([])
    expect(await gateway.ledger()).toMatchObject({ accepted: 1, imbalance: 0 })
  })

  test('scanners that are down: 250, and delivered only when they have looked', async () => {
    const port = await freePort()
    await using gateway = await startGateway({ config: waiting({ host: '127.0.0.1', port }, rspamd) })
    const { queueId } = await send(gateway.port, { content: mail() })
    const { events } = await gateway.settled(queueId, 'deferred')
    expect(events.map(({ event }) => event)).toEqual(['accepted', 'scanned', 'verdict', 'deferred'])
    expect(await scans(gateway, 'queued')).toBe(1)
    expect(await gateway.maildir()).toEqual([])
    expect(await gateway.ledger()).toMatchObject({ accepted: 1, imbalance: 0 })
  })
})

test.each([
  ['closes its side', (client: Dialogue) => client.socket.end()],
  ['is gone', (client: Dialogue) => client.socket.resetAndDestroy()],
])(
  'a client that %s before its reply: nothing is kept, and what it sends again is delivered once',
  async (_what, leave) => {
    let scan: Socket | undefined
    await using stand = await standIn(socket => {
      let request = Buffer.alloc(0)
      socket.on('data', (chunk: Buffer) => {
        request = Buffer.concat([request, chunk])
        if (request.includes('zPING')) socket.end('PONG\0')
        else if (!request.subarray(-4).equals(Buffer.alloc(4))) return
        else if (scan === undefined) scan = socket
        else socket.end('stream: OK\0')
      })
      socket.resume()
    })
    await using gateway = await startGateway({ config: waiting({ host: '127.0.0.1', port: stand.port }) })
    const content = mail()
    const client = await inData(gateway.port)
    client.send(onTheWire(content))
    await expect.poll(() => scan).toBeDefined()
    leave(client)
    // Whoever answers us has seen the end of the client, which came before the question.
    await gateway.metric('elemta_connections_active')
    scan!.end('stream: OK\0')
    await gateway.log(({ event }) => event === 'session-ended')
    await expect.poll(() => spooled(gateway)).toEqual([])
    expect(await gateway.ledger()).toMatchObject({ accepted: 0, imbalance: 0 })
    expect(gateway.logged('accepted')).toEqual([])

    const { queueId } = await send(gateway.port, { content })
    await gateway.settled(queueId, 'delivered')
    expect(await gateway.maildir()).toHaveLength(1)
    expect(await gateway.ledger()).toMatchObject({ accepted: 1, delivered: 1, imbalance: 0 })
  },
)

const POINTS: Partial<Record<CrashPoint, { acknowledged: boolean; kept: boolean }>> = {
  'after-store': { acknowledged: false, kept: false },
  'after-enqueue': { acknowledged: false, kept: true },
  'after-reply': { acknowledged: true, kept: true },
  'before-delivery': { acknowledged: true, kept: true },
  'after-dot-mark': { acknowledged: true, kept: true },
  'after-dot': { acknowledged: true, kept: true },
  'before-ledger': { acknowledged: true, kept: true },
  'after-outcome': { acknowledged: true, kept: true },
}

test.each(Object.entries(POINTS))(
  'kill -9 %s: what was acknowledged arrives once',
  async (point, { acknowledged, kept }) => {
    const directory = await temporaryDirectory()
    onTestFinished(() => rm(directory, { recursive: true, force: true }))
    const config = waiting(clamav)
    const content = mail()
    const dying = await startGateway({ directory, config, crashAt: point })
    const sent = await send(dying.port, { content }).catch(() => undefined)
    // Delivery may begin, and end the program, before the reply is on its way.
    if (point.startsWith('after-') && !/dot|outcome/.test(point))
      expect(sent?.code).toBe(acknowledged ? 250 : undefined)
    expect(await dying.ended).toBe('SIGKILL')
    expect(await dying.ledger()).toMatchObject({ accepted: kept ? 1 : 0, imbalance: 0 })

    await using gateway = await startGateway({ directory, config })
    const queueId = kept
      ? (await gateway.only('bob@example.com')).message.queueId
      : (await send(gateway.port, { content })).queueId
    const { events } = await gateway.settled(queueId, 'delivered')
    expect(events.filter(({ event }) => event === 'scanned')).toHaveLength(1)
    expect(await gateway.maildir()).toHaveLength(1)
    expect(await gateway.ledger()).toMatchObject({ accepted: 1, delivered: 1, imbalance: 0, queued: EMPTY_QUEUES })
  },
)
