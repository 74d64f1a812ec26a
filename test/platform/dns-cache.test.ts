import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import { createDns } from '../../src/platform/dns.ts'
import { cachedDns } from '../../src/platform/dns-cache.ts'

/** A name server for one test, which counts what it is asked: 192.0.2.1 for every name, or the error with this code. */
async function startNameServer() {
  const server = createSocket('udp4')
  const state = { asked: 0, errorCode: 0 }
  server.on('message', (question, from) => {
    state.asked++
    const answer = Buffer.from(question.subarray(0, question.indexOf(0, 12) + 5))
    answer.writeUInt16BE(0x8180 | state.errorCode, 2)
    answer.writeUInt16BE(state.errorCode === 0 ? 1 : 0, 6)
    answer.writeUInt32BE(0, 8)
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 192, 0, 2, 1])
    server.send(state.errorCode === 0 ? Buffer.concat([answer, record]) : answer, from.port, from.address)
  })
  server.bind(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  let now = 0
  const dns = cachedDns(createDns({ servers: [`127.0.0.1:${server.address().port}`], timeout: 5000 }), {
    now: () => now,
    keep: { found: 60_000, none: 10_000, error: 0 },
  })
  return { dns, state, after: (seconds: number) => (now += seconds * 1000) }
}

const NXDOMAIN = 3
const SERVFAIL = 2

test('a name is asked for once, by however many at the same time, and again after a minute', async () => {
  const { dns, state, after } = await startNameServer()
  const answers = await Promise.all([dns.a('mail.example.org'), dns.a('mail.example.org')])
  expect(answers).toEqual([answers[0], { kind: 'found', records: ['192.0.2.1'] }])
  await dns.a('mail.example.org')
  expect(state.asked).toBe(1)
  after(60)
  await dns.a('mail.example.org')
  expect(state.asked).toBe(2)
})

test('a name that does not exist is believed to for ten seconds', async () => {
  const { dns, state, after } = await startNameServer()
  state.errorCode = NXDOMAIN
  expect(await dns.a('new.example.org')).toEqual({ kind: 'none' })
  state.errorCode = 0
  expect(await dns.a('new.example.org')).toEqual({ kind: 'none' })
  after(10)
  expect(await dns.a('new.example.org')).toMatchObject({ kind: 'found' })
})

test('a failure is asked again at once', async () => {
  const { dns, state } = await startNameServer()
  state.errorCode = SERVFAIL
  expect(await dns.a('mail.example.org')).toMatchObject({ kind: 'error' })
  state.errorCode = 0
  expect(await dns.a('mail.example.org')).toMatchObject({ kind: 'found' })
})
