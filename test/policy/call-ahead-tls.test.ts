// Asking the next hop about a recipient, under TLS as its route wants it: what is asked in clear text, and what waits.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { NextHop } from '../../src/deliver/next-hop.ts'
import { dialoguesWith } from '../../src/deliver/next-hop-dialogue.ts'
import { callAhead } from '../../src/policy/call-ahead.ts'
import { helloReply, type Script, type NextHop as ScriptedHop, startNextHop } from '../deliver/next-hop.ts'
import { certificateFor, emptyDirectory, type Pems } from '../ingress/certificate.ts'

const HOST = 'next-hop.example'
const BOB = 'bob@ours.test'
const OFFERS_TLS = helloReply([HOST, 'STARTTLS', 'AUTH PLAIN'])
const KNOWN = { kind: 'known' }
const QUESTION = ['MAIL FROM:<>', `RCPT TO:<${BOB}>`]

let hop: ScriptedHop
afterEach(() => hop.close())

async function start(pems: Pems, script: Script = {}, implicit = false) {
  hop = await startNextHop({ hello: OFFERS_TLS, tls: { ...pems, implicit }, ...script })
}

const sessions = new Map()
function ask(way: Partial<NextHop> = {}) {
  const nextHop = { protocol: 'smtp', host: '127.0.0.1', port: hop.port, ...way } as const
  return callAhead(dialoguesWith(nextHop, { hostname: 'mx.ours.test', tlsSessions: sessions }), BOB)
}
const asked = () => hop.connections.map(lines => lines.filter(line => QUESTION.includes(line)))
const good = () => certificateFor([HOST])

async function fileOf({ cert }: Pems): Promise<string> {
  const file = join(await emptyDirectory(), 'ca.pem')
  await writeFile(file, cert)
  return file
}

test.each(['may', 'encrypt'] as const)('%s: TLS comes before the question, whatever the certificate', async tls => {
  await start(await good())
  expect(await ask({ tls })).toEqual(KNOWN)
  expect(hop.connections[0]!.slice(0, 5)).toEqual(['EHLO mx.ours.test', 'STARTTLS', 'EHLO mx.ours.test', ...QUESTION])
  expect(hop.handshakes).toHaveLength(1)
})

test('a no under TLS is a no', async () => {
  await start(await good(), { rcpt: '550 5.1.1 Who?' })
  expect(await ask({ tls: 'encrypt' })).toEqual({ kind: 'unknown' })
})

test('none: in clear text although TLS is offered', async () => {
  await start(await good())
  expect(await ask({ tls: 'none' })).toEqual(KNOWN)
  expect(hop.handshakes).toEqual([])
})

test('may: in clear text on a new connection when the handshake fails', async () => {
  await start(await good(), { starttls: { cut: '220 2.0.0 Go on\r\nno TLS' } })
  expect(await ask({ tls: 'may' })).toEqual(KNOWN)
  expect(asked()).toEqual([[], QUESTION])
})

test('verify: with the right certificate, and the session is resumed for the next question', async () => {
  const pems = await good()
  await start(pems)
  const way = { tls: 'verify', ca: await fileOf(pems), certificateName: HOST } as const
  expect(await ask(way)).toEqual(KNOWN)
  expect(await ask(way)).toEqual(KNOWN)
  expect(hop.handshakes).toEqual([
    { servername: HOST, resumed: false },
    { servername: HOST, resumed: true },
  ])
})

test('smtps: from the first octet on; in LMTP by STARTTLS', async () => {
  await start(await good(), {}, true)
  expect(await ask({ protocol: 'smtps' })).toEqual(KNOWN)
  await hop.close()
  await start(await good(), { lmtp: true })
  expect(await ask({ protocol: 'lmtp', tls: 'encrypt' })).toEqual(KNOWN)
  expect(hop.connections[0]![0]).toBe('LHLO mx.ours.test')
})

test('who must log in to hand over mail logs in to ask', async () => {
  await start(await good())
  expect(await ask({ auth: { user: 'relay', password: 'secret' } })).toEqual(KNOWN)
  expect(hop.connections[0]!.find(line => line.startsWith('AUTH PLAIN '))).toBeDefined()
})

describe('later, and no recipient is named:', () => {
  const auth = { user: 'relay', password: 'secret' }
  test.each<[string, Partial<NextHop>, Script, string]>([
    ['encrypt, not offered', { tls: 'encrypt' }, { hello: helloReply([HOST]) }, 'TLS is required'],
    ['encrypt, refused', { tls: 'encrypt' }, { starttls: '454 4.7.0 Not now' }, 'TLS is required'],
    ['encrypt, a handshake that fails', { tls: 'encrypt' }, { starttls: { cut: '220 Go\r\n' } }, 'TLS failed'],
    ['verify, by a stranger', { tls: 'verify', certificateName: HOST }, {}, 'the certificate is self-signed'],
    ['a login refused', { auth }, { auth: '535 5.7.8 No' }, 'no login as relay'],
    ['a login without TLS', { auth }, { hello: helloReply([HOST, 'AUTH PLAIN']) }, 'without TLS'],
  ])('%s', async (_what, way, script, why) => {
    await start(await good(), script)
    expect(await ask(way)).toEqual({ kind: 'later', why: expect.stringContaining(why) })
    expect(asked().flat()).toEqual([])
  })
})
