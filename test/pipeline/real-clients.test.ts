// What people have at hand to try a mail server, as it stands in their manuals and ours: swaks and curl.
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { curl, type Run, swaks } from './client-program.ts'
import { type Gateway, startGateway, temporaryDirectory, writeConfig } from './gateway.ts'
import { mail, readMail } from './mail.ts'
import { addUser } from './users.ts'

let gateway: Gateway
let [mx, submission, submissions] = [0, 0, 0]

beforeAll(async () => {
  const directory = await temporaryDirectory()
  const config = {
    listeners: ['mx', 'submission', 'submissions'].map(mode => ({ address: '127.0.0.1', port: 0, mode })),
    auth: { users_file: join(directory, 'users') },
  }
  await addUser({ configFile: await writeConfig(directory, config) }, 'alice', 's3cret', 'alice@example.com')
  gateway = await startGateway({ directory, config })
  ;[mx = 0, submission = 0, submissions = 0] = gateway.ports
})

afterAll(() => gateway?.[Symbol.asyncDispose]())

/** The message that the client was told is queued, as it was delivered. */
async function deliveredBy({ code, said }: Run) {
  expect({ code, said }).toMatchObject({ code: 0 })
  const queueId = /queued as (\w{20})/.exec(said)?.[1] ?? ''
  await gateway.settled(queueId, 'delivered')
  return (await gateway.maildir()).map(readMail).find(({ header }) => header.includes(queueId))!
}

const FROM = ['--from', 'alice@example.com']
const STRANGER = ['--from', 'carol@sender.example', '--to', 'bob@example.com']
const LOGIN = ['--auth-user', 'alice', '--auth-password', 's3cret']

test.each<[string, string[], with_: string]>([
  ['plain', [], 'ESMTP'],
  ['HELO', ['--protocol', 'SMTP'], 'SMTP'],
  ['STARTTLS', ['--tls'], 'ESMTPS'],
  ['pipelined', ['--pipeline'], 'ESMTP'],
  ['pipelined over STARTTLS', ['--pipeline', '--tls'], 'ESMTPS'],
])('swaks to our domain: %s', async (_, args, protocol) => {
  const delivered = await deliveredBy(await swaks('--server', `127.0.0.1:${mx}`, ...STRANGER, ...args))
  expect(delivered.field('Received')[0]).toMatch(new RegExp(` with ${protocol} id `))
  expect(delivered.body.toString()).toMatch(/^This is a test mailing\r\n/)
})

test.each<[string, () => number, string[]]>([
  ['AUTH PLAIN on submission', () => submission, ['--tls', '--auth', 'PLAIN']],
  ['AUTH LOGIN on submission', () => submission, ['--tls', '--auth', 'LOGIN']],
  ['AUTH PLAIN on submissions', () => submissions, ['--tls-on-connect', '--auth', 'PLAIN']],
  ['whatever is offered', () => submission, ['--tls', '--auth', '--auth-hide-password']],
])('swaks to anybody: %s', async (_, port, args) => {
  const to = ['--to', 'bob@elsewhere.example']
  const run = await swaks('--server', `127.0.0.1:${port()}`, ...FROM, ...to, ...LOGIN, ...args)
  expect((await deliveredBy(run)).field('Received')[0]).toMatch(/ with ESMTPSA id /)
})

test.each<[string, () => number, string[], RegExp]>([
  ['relaying by a stranger', () => mx, ['--to', 'bob@elsewhere.example'], /<\*\* 550 5\.7\.1 .*[Rr]elay/],
  ['submission without TLS', () => submission, ['--to', 'bob@example.com'], /<\*\* 530 5\.7\.0 /],
  ['submission without a login', () => submission, ['--to', 'bob@example.com', '--tls'], /<~\* 530 5\.7\.0 /],
  [
    'a wrong password',
    () => submission,
    ['--tls', '--auth', '--auth-user', 'alice', '--auth-password', 'x'],
    /<~\* 535 5\.7\.8 /,
  ],
])('swaks is refused: %s', async (_, port, args, said) => {
  const to = args.includes('--to') ? [] : ['--to', 'bob@example.com']
  const run = await swaks('--server', `127.0.0.1:${port()}`, ...FROM, ...to, ...args)
  expect(run.code).not.toBe(0)
  expect(run.said).toMatch(said)
})

test.each<[string, () => string, string[], string]>([
  ['smtp://', () => `smtp://127.0.0.1:${mx}/client.example`, [], 'ESMTP'],
  ['smtp:// and STARTTLS', () => `smtp://127.0.0.1:${mx}/client.example`, ['--ssl-reqd'], 'ESMTPS'],
  ['smtp:// and a login', () => `smtp://127.0.0.1:${submission}`, ['--ssl-reqd', '--user', 'alice:s3cret'], 'ESMTPSA'],
  ['smtps:// and a login', () => `smtps://127.0.0.1:${submissions}`, ['--user', 'alice:s3cret'], 'ESMTPSA'],
])('curl: %s', async (_, url, args, protocol) => {
  const envelope = ['--mail-from', 'alice@example.com', '--mail-rcpt', 'bob@example.com']
  const delivered = await deliveredBy(await curl(mail({ body: '.dot\r\n..\r\n' }), url(), ...envelope, ...args))
  expect(delivered.field('Received')[0]).toMatch(new RegExp(` with ${protocol} id `))
  expect(delivered.body.toString()).toBe('.dot\r\n..\r\n')
})

test('curl tells a wrong password from other trouble', async () => {
  const args = ['--mail-from', 'alice@example.com', '--mail-rcpt', 'bob@example.com', '--user', 'alice:x']
  const { code, said } = await curl(mail(), `smtps://127.0.0.1:${submissions}`, ...args)
  expect(said).toMatch(/< 535 5\.7\.8 /)
  expect(code).toBe(67) // CURLE_LOGIN_DENIED
})
