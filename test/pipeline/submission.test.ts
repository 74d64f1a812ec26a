// Submission as a mail program's user and an admin meet it: nodemailer logs in on both kinds of listener, users come
// while the gateway runs, and nobody sends as somebody else.
import { once } from 'node:events'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { createTransport } from 'nodemailer'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { swaks } from './client-program.ts'
import { type Gateway, startGateway, temporaryDirectory, writeConfig } from './gateway.ts'
import { readMail } from './mail.ts'
import { addUser } from './users.ts'

let gateway: Gateway

beforeAll(async () => {
  const directory = await temporaryDirectory()
  const config = {
    listeners: ['submission', 'submissions', 'mx'].map(mode => ({ address: '127.0.0.1', port: 0, mode })),
    auth: { users_file: join(directory, 'users'), own_addresses_only: true },
    ingress: { xclient: ['127.0.0.1/32'] },
  }
  await addUser({ configFile: await writeConfig(directory, config) }, 'alice', 's3cret', 'alice@example.com')
  gateway = await startGateway({ directory, config })
})

afterAll(() => gateway?.[Symbol.asyncDispose]())

type Message = Readonly<{
  mode?: 'submission' | 'submissions'
  method?: string
  user?: string
  pass?: string
  from?: string
}>

/** Resolves with the queue id; rejects as nodemailer does. */
async function submit({ mode = 'submission', method = 'PLAIN', user = 'alice', pass = 's3cret', from }: Message) {
  const transport = createTransport({
    host: '127.0.0.1',
    port: gateway.ports[mode === 'submission' ? 0 : 1],
    secure: mode === 'submissions',
    requireTLS: true,
    authMethod: method,
    auth: { user, pass },
    tls: { rejectUnauthorized: false },
  })
  const { response } = await transport.sendMail({
    from: from ?? `${user}@example.com`,
    to: 'bob@elsewhere.example',
    subject: 'Grüße',
    text: 'Hello',
  })
  return /queued as (\w{20})$/.exec(response)![1]!
}

test.each([
  ['submission', 'PLAIN'],
  ['submission', 'LOGIN'],
  ['submissions', 'PLAIN'],
  ['submissions', 'LOGIN'],
] as const)('%s, AUTH %s: a user sends to any domain', async (mode, method) => {
  const before = await gateway.metric('elemta_auth_successes_total')
  const queueId = await submit({ mode, method })
  const { message } = await gateway.settled(queueId, 'delivered')
  expect(message).toMatchObject({ client: { user: 'alice' }, envelope: { reversePath: 'alice@example.com' } })
  const delivered = (await gateway.maildir()).map(readMail).find(({ header }) => header.includes(queueId))
  expect(delivered?.field('Received')[0]).toMatch(
    /\(using TLSv1\.3 with cipher \w+\)\s+by mx\.example\.com with ESMTPSA /,
  )
  expect(await gateway.metric('elemta_auth_successes_total')).toBe(before + 1)
})

test('a wrong password and an unknown user hear the same, and the log has their names but no password', async () => {
  for (const user of ['alice', 'nobody']) {
    await expect(submit({ user, pass: 'wr0ng' })).rejects.toMatchObject({
      code: 'EAUTH',
      response: '535 5.7.8 Authentication credentials invalid',
    })
  }
  await gateway.log(({ event, user }) => event === 'auth-failed' && user === 'nobody')
  expect(gateway.logged('auth-failed')).toMatchObject([
    { client: '127.0.0.1', user: 'alice', mechanism: 'PLAIN' },
    { client: '127.0.0.1', user: 'nobody', mechanism: 'PLAIN' },
  ])
  expect(JSON.stringify(gateway.logged('auth-failed'))).not.toContain('wr0ng')
  expect(await gateway.metric('elemta_auth_failures_total{reason="password"}')).toBe(2)
})

test('nobody sends as somebody else', async () => {
  await expect(submit({ from: 'boss@example.com' })).rejects.toMatchObject({ code: 'EENVELOPE', responseCode: 553 })
})

test('a user whom a relay names has none of the addresses of the one who logged in before', async () => {
  const socket = connect({ host: '127.0.0.1', port: gateway.ports[1]!, rejectUnauthorized: false })
  const say = async (line: string) => {
    socket.write(`${line}\r\n`)
    return String((await once(socket, 'data'))[0])
  }
  await once(socket, 'data')
  await say('EHLO client.example')
  expect(await say(`AUTH PLAIN ${Buffer.from('\0alice\0s3cret').toString('base64')}`)).toMatch(/^235 /)
  expect(await say('XCLIENT LOGIN=carol')).toMatch(/^220 /)
  await say('EHLO client.example')
  expect(await say('MAIL FROM:<alice@example.com>')).toMatch(/^553 /)
  expect(await say('MAIL FROM:<carol>')).not.toMatch(/^553 /)
  socket.destroy()
})

test('a user who is added while the gateway runs can log in at once', async () => {
  await expect(submit({ user: 'carol', pass: 'n3w' })).rejects.toMatchObject({ responseCode: 535 })
  await addUser(gateway, 'carol', 'n3w', 'carol@example.com')
  await gateway.settled(await submit({ user: 'carol', pass: 'n3w' }), 'delivered')
})

test('AUTH is offered only where users submit, and only over TLS', async () => {
  const [submission, submissions, mx] = gateway.ports as [number, number, number]
  const offered = async (port: number, ...tls: string[]) => {
    const { said } = await swaks('--server', `127.0.0.1:${port}`, '--quit-after', 'EHLO', ...tls)
    expect(said).toMatch(/^<[-~] {2}221 2\.0\.0 /m)
    return /^<[-~] {2}250[- ]AUTH (.*)$/m.exec(said)?.[1]
  }
  expect(await offered(submission)).toBeUndefined()
  expect(await offered(submission, '--tls')).toBe('PLAIN LOGIN')
  expect(await offered(submissions, '--tls-on-connect')).toBe('PLAIN LOGIN')
  expect(await offered(mx, '--tls')).toBeUndefined()
})
