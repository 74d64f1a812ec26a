// Asking the next hop about a recipient, against a server that says what a test wants.
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import type { NextHop } from '../../src/deliver/next-hop.ts'
import { dialoguesWith } from '../../src/deliver/next-hop-dialogue.ts'
import type { TlsSessions } from '../../src/deliver/next-hop-tls.ts'
import { callAhead } from '../../src/policy/call-ahead.ts'
import { createRecipients } from '../../src/policy/recipients.ts'
import { helloReply, type Script, type NextHop as ScriptedHop, startNextHop } from '../deliver/next-hop.ts'
import { contextFor, from, said, settings } from './ask.ts'

const BOB = 'bob@ours.test'
const UNKNOWN = `550 5.1.1 <${BOB}>: no such user here`
const LATER = `450 4.1.1 <${BOB}>: cannot be verified now, try again later`
let hop: ScriptedHop | undefined

afterEach(async () => {
  await hop?.close()
  hop = undefined
})

function hopToAsk({ tlsSessions = new Map(), ...way }: Partial<NextHop> & { tlsSessions?: TlsSessions }) {
  const nextHop = { protocol: 'smtp', host: '127.0.0.1', port: 0, ...way } as const
  return dialoguesWith(nextHop, { hostname: 'mx.ours.test', tlsSessions })
}

async function policy(script: Script, config: object = {}, parts = {}) {
  hop = await startNextHop(script)
  const asked = hopToAsk({ protocol: script.lmtp ? 'lmtp' : 'smtp', port: hop.port })
  const context = contextFor('recipients', { nextHop: () => asked, ...parts })
  const plugin = createRecipients(settings('recipients', { call_ahead: true, ...config }), context)
  return (recipient = BOB) => said(plugin.recipient!(from(), recipient))
}

function closed(socket: Socket): Promise<void> {
  return new Promise(resolve => (socket.closed ? resolve() : socket.once('close', () => resolve())))
}

/** The server has seen its clients off. */
async function allGone(): Promise<void> {
  await Promise.all([...hop!.open].map(closed))
}

test('who the next hop takes exists; nothing is sent', async () => {
  const ask = await policy({})
  expect(await ask()).toBe('pass')
  await allGone()
  expect(hop!.connections).toEqual([['EHLO mx.ours.test', 'MAIL FROM:<>', `RCPT TO:<${BOB}>`, 'QUIT']])
  expect(hop!.messages).toEqual([])
})

test('in LMTP, too', async () => {
  const ask = await policy({ lmtp: true, rcpt: line => (line.includes('bob') ? '250 Ok' : '550 5.1.1 No') })
  expect(await ask()).toBe('pass')
  expect(await ask('eve@ours.test')).toContain('550 5.1.1')
  expect(hop!.connections[0]![0]).toBe('LHLO mx.ours.test')
})

test('a server that knows only HELO is asked in its words', async () => {
  const ask = await policy({ hello: '502 5.5.2 What?' })
  expect(await ask()).toBe('pass')
})

test.each(['550 5.1.1 No such user', '551 Not here', '553 5.1.3 No', '554 5.7.1 No', '550-No\r\n550 such user'])(
  'refused with %j: unknown',
  async rcpt => {
    const ask = await policy({ rcpt })
    expect(await ask()).toBe(UNKNOWN)
    await allGone()
    expect(hop!.connections[0]!.at(-1)).toBe('QUIT')
  },
)

describe('everything else means later', () => {
  const cases: readonly [string, Script][] = [
    ['a deferral', { rcpt: '450 4.2.1 Busy' }],
    ['a full mailbox', { rcpt: '552 5.2.2 Full' }],
    ['a login wanted', { rcpt: '530 5.7.0 Log in' }],
    ['no null sender taken', { mail: '550 5.7.1 No bounces' }],
    ['a server that is full', { greeting: '421 4.3.2 Too many connections' }],
    ['a server that refuses us', { greeting: '554 5.7.1 Go away' }],
    ['a greeting that is refused', { hello: '550 5.7.1 No', helo: '550 5.7.1 No' }],
    ['a cut at RCPT', { rcpt: { cut: '' } }],
    ['a cut in the middle of the reply', { rcpt: { cut: '550 5.1.1 No su' } }],
    ['something that is not SMTP', { greeting: { raw: 'SSH-2.0-OpenSSH_9.6\r\n' } }],
    ['a reply without end', { rcpt: { raw: '550-5.1.1 no\r\n'.repeat(10_000) } }],
    ['a line without end', { rcpt: { raw: '5'.repeat(100_000) } }],
  ]

  test.each(cases)('%s', async (_, script) => {
    const ask = await policy(script)
    expect(await ask()).toBe(LATER)
    await allGone()
  })

  test('nobody there', async () => {
    const ask = await policy({})
    await hop!.close()
    expect(await ask()).toBe(LATER)
    hop = undefined
  })

  test.each([
    ['at the greeting', { greeting: 'silence' }],
    ['at RCPT', { rcpt: 'silence' }],
  ] as const)('silence %s', async (_, script) => {
    hop = await startNextHop(script)
    const answer = await callAhead(hopToAsk({ port: hop.port }), BOB, 100)
    expect(answer).toEqual({ kind: 'later', why: `smtp://127.0.0.1:${hop.port}: no answer within 0.1 s` })
    await allGone()
  })

  test('and is asked again at once', async () => {
    const ask = await policy({ rcpt: '450 4.2.1 Busy' })
    expect(await ask()).toBe(LATER)
    hop!.follow({})
    expect(await ask()).toBe('pass')
  })
})

test('a peer that never stops talking is cut at the deadline', async () => {
  const sockets: Socket[] = []
  const server = createServer(socket => {
    sockets.push(socket)
    socket.on('error', () => {})
    const drip = setInterval(() => socket.write('220-wait\r\n'), 5)
    socket.on('close', () => clearInterval(drip))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const answer = await callAhead(hopToAsk({ port }), BOB, 100)
  expect(answer.kind).toBe('later')
  await Promise.all(sockets.map(closed))
  server.close()
})

describe('an international address', () => {
  const recipient = 'jörg@ours.test'

  test('is asked for with SMTPUTF8', async () => {
    const ask = await policy({})
    expect(await ask(recipient)).toBe('pass')
    expect(hop!.connections[0]!.slice(1, 3)).toEqual(['MAIL FROM:<> SMTPUTF8', `RCPT TO:<${recipient}>`])
  })

  test('exists on no server without it', async () => {
    const ask = await policy({ hello: helloReply(['next-hop.example', 'PIPELINING']) })
    expect(await ask(recipient)).toBe(`550 5.1.1 <${recipient}>: no such user here`)
  })
})

test('answers are believed, a no for a tenth as long, and questions at the same time are one', async () => {
  let now = Date.now()
  const rcpt = (line: string) => (line.includes('bob') ? '250 Ok' : '550 5.1.1 No')
  const ask = await policy({ rcpt }, { cache: '10m' }, { now: () => now })
  await Promise.all([ask(), ask(), ask(), ask('eve@ours.test')])
  expect(hop!.connections).toHaveLength(2)
  now += 61_000
  await Promise.all([ask(), ask('eve@ours.test')])
  expect(hop!.connections).toHaveLength(3)
  now += 540_000
  await ask()
  expect(hop!.connections).toHaveLength(4)
})

test('where no server can be asked, this has no opinion', async () => {
  const maildir = { nextHop: () => undefined }
  expect(await (await policy({}, {}, maildir))()).toBe('pass')
  await hop!.close()
  expect(await (await policy({}, { addresses: ['ann@ours.test'] }, maildir))()).toBe(UNKNOWN)
  expect(hop!.connections).toEqual([])
})
