// Logging in at a next hop: only under TLS, and a refusal costs nobody's mail.
import { afterEach, describe, expect, test } from 'vitest'
import { certificateFor } from '../ingress/certificate.ts'
import { handOver, openPool } from './hand-over.ts'
import { helloReply, type NextHop, type Script, startNextHop } from './next-hop.ts'

const DELIVERED = ['delivered: 250 2.0.0 Ok: queued as 42']
const USER = 'relay@example.com'
const PASSWORD = 'correct horse'
const PLAIN = Buffer.from(`\0${USER}\0${PASSWORD}`).toString('base64')
const base64 = (text: string) => Buffer.from(text).toString('base64')

let hop: NextHop
afterEach(() => hop.close())

/** Offers these mechanisms under TLS. */
async function start(mechanisms: string, script: Script = {}) {
  const hello = helloReply(['next-hop.example', 'PIPELINING', 'STARTTLS', mechanisms])
  hop = await startNextHop({ hello, tls: await certificateFor(['next-hop.example']), ...script })
}
const deliver = (password = PASSWORD) =>
  handOver(openPool(), { protocol: 'smtp', host: '127.0.0.1', port: hop.port, auth: { user: USER, password } })
const said = () => hop.connections[0]!.slice(3)

test('PLAIN', async () => {
  await start('AUTH LOGIN PLAIN CRAM-MD5')
  expect((await deliver()).told).toEqual(DELIVERED)
  expect(said()[0]).toBe(`AUTH PLAIN ${PLAIN}`)
})

test('PLAIN in two steps where a line could not hold it', async () => {
  const long = 'x'.repeat(600)
  await start('AUTH PLAIN', { auth: line => (line === 'AUTH PLAIN' ? '334 ' : '235 2.7.0 Welcome') })
  expect((await deliver(long)).told).toEqual(DELIVERED)
  expect(said().slice(0, 2)).toEqual(['AUTH PLAIN', base64(`\0${USER}\0${long}`)])
})

test.each(['AUTH LOGIN', 'auth=login'])('LOGIN where PLAIN is not offered: %s', async mechanisms => {
  const auth = (line: string) =>
    line === 'AUTH LOGIN' ? '334 VXNlcm5hbWU6' : line === base64(USER) ? '334 UGFzc3dvcmQ6' : '235 2.7.0 Welcome'
  await start(mechanisms, { auth })
  expect((await deliver()).told).toEqual(DELIVERED)
  expect(said().slice(0, 3)).toEqual(['AUTH LOGIN', base64(USER), base64(PASSWORD)])
})

test('once for all messages of a session', async () => {
  await start('AUTH PLAIN')
  const pool = openPool()
  const nextHop = {
    protocol: 'smtp',
    host: '127.0.0.1',
    port: hop.port,
    auth: { user: USER, password: PASSWORD },
  } as const
  for (let n = 0; n < 2; n++) expect((await handOver(pool, nextHop)).told).toEqual(DELIVERED)
  expect(hop.connections).toHaveLength(1)
  expect(said().filter(line => line.startsWith('AUTH'))).toHaveLength(1)
})

describe('a refusal is a deferral that names the user and nothing secret:', () => {
  test.each<[string, string, Script, string]>([
    ['wrong password', 'AUTH PLAIN', { auth: '535 5.7.8 Wrong' }, '535 5.7.8 Wrong'],
    ['no time', 'AUTH PLAIN', { auth: '454 4.7.0 Later' }, '454 4.7.0 Later'],
    ['user refused', 'AUTH LOGIN', { auth: said => (said === 'AUTH LOGIN' ? '334 ' : '535 No') }, '535 No'],
    ['a parrot', 'AUTH PLAIN', { auth: said => `501 5.5.2 ${said} (${PASSWORD})` }, '501 5.5.2 AUTH PLAIN … (…)'],
    ['no mechanism of ours', 'AUTH CRAM-MD5', {}, 'the next hop offers neither PLAIN nor LOGIN'],
    ['no AUTH', 'SIZE', {}, 'the next hop offers neither PLAIN nor LOGIN'],
  ])('%s', async (_, mechanisms, script, expected) => {
    await start(mechanisms, script)
    const { error, results } = await deliver()
    expect(error).toMatchObject({ message: `no login as ${USER}: ${expected}`, about: 'session' })
    expect(results).toEqual([])
    expect(hop.messages).toEqual([])
  })

  test('silence', async () => {
    await start('AUTH PLAIN', { auth: 'silence' })
    const nextHop = {
      protocol: 'smtp',
      host: '127.0.0.1',
      port: hop.port,
      auth: { user: USER, password: PASSWORD },
    } as const
    const { error } = await handOver(openPool({ timeouts: { auth: 50 } }), nextHop)
    expect(error?.message).toMatch(/^no reply to AUTH within /)
  })
})

test('without TLS the password is not told', async () => {
  hop = await startNextHop({ hello: helloReply(['next-hop.example', 'AUTH PLAIN LOGIN']) })
  const { error } = await deliver()
  expect(error).toMatchObject({ message: `no login as ${USER} without TLS`, about: 'session' })
  expect(hop.connections.flat()).toEqual(['EHLO mx.example.com'])
})
