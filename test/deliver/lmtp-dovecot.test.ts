// A real Dovecot (Debian package dovecot-lmtpd) as next hop: each recipient has the answer that is his, and what lies
// in the mailbox is, octet by octet, what was to be delivered.
import { rm, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { certificateFor } from '../ingress/certificate.ts'
import { type Dovecot, startDovecot } from './dovecot.ts'
import { handOver, openPool } from './hand-over.ts'
import { contentOf, deliverOnce } from './messages.ts'

const NAME = 'store.example'
let dovecot: Dovecot

beforeAll(async () => {
  const users = [{ name: 'ann' }, { name: 'bob', quota: 2000 }, { name: 'carl' }, { name: 'dora' }]
  dovecot = await startDovecot({ users, tls: await certificateFor([NAME]) })
})
afterAll(() => dovecot?.stop())

/** What Dovecot itself puts in front: Return-Path and its own Received. */
const OWN = /^Return-Path: .*\r\n(?:Delivered-To: .*\r\n)?Received: .*\r\n(?:[ \t].*\r\n)*/

function withoutItsOwn(file: Buffer): string {
  const text = file.toString('latin1')
  expect(text).toMatch(OWN)
  return text.replace(OWN, '')
}

test('a mailbox that is full, one that is broken and one that there is not leave the others alone', async () => {
  await writeFile(dovecot.path('carl'), 'no directory')
  const recipients = ['ann', 'bob', 'carl', 'eve', 'dora'].map(name => `${name}@example.com`)
  const content = contentOf(`Subject: to all\r\n\r\n${'x'.repeat(900)}\r\n${'y'.repeat(5000)}\r\n`)
  const outcomes = await deliverOnce({ to: dovecot.url, recipients, content })
  const said = (name: string) => {
    const { kind, reply } = outcomes.get(`${name}@example.com`)!
    return `${kind}: ${reply}`
  }
  expect(said('ann')).toMatch(/^delivered: 250 2\.0\.0 <ann@example\.com> \S+ Saved$/)
  expect(said('bob')).toMatch(/^failed: 552 5\.2\.2 <bob@example\.com> Quota exceeded/)
  expect(said('carl')).toMatch(/^deferred: 451 4\.\d\.\d <carl@example\.com>/)
  expect(said('eve')).toMatch(/^failed: 550 5\.1\.1 <eve@example\.com> User doesn't exist/)
  expect(said('dora')).toMatch(/^delivered: 250 /)
  await rm(dovecot.path('carl'))

  const again = await deliverOnce({ to: dovecot.url, recipients: ['carl@example.com'], content })
  expect(again.get('carl@example.com')?.kind).toBe('delivered')
  expect(['ann', 'carl', 'dora'].map(user => dovecot.mailbox(user).length)).toEqual([1, 1, 1])
})

test.each<[what: string, content: string]>([
  ['dots at the beginning of lines', 'Subject: dots\r\n\r\n.\r\n..\r\n...\r\n.a\r\n\r\n.\r\n'],
  ['a dot as the first octet', '.Subject: dot\r\n\r\nx\r\n'],
  [
    'octets beyond ASCII',
    `Subject: \xfc\r\n\r\n${Buffer.from([...Array(256).keys()].slice(14)).toString('latin1')}\r\n`,
  ],
  [
    'lines that are too long',
    `Subject: long\r\n\r\n${'a'.repeat(1000)}\r\n.${'b'.repeat(70_000)}\r\n${'.'.repeat(4096)}\r\n`,
  ],
  ['no body', 'Subject: none\r\n'],
  ['an empty body', 'Subject: empty\r\n\r\n'],
  ['no header', '\r\nonly a body\r\n'],
  ['empty lines at its end', 'Subject: end\r\n\r\nx\r\n\r\n\r\n\r\n'],
  ['white space at line ends', 'Subject: space \r\n\r\nx \t \r\n \r\n'],
  ['mailbox separators', 'Subject: from\r\n\r\nFrom alice Mon Jan  1\r\n>From bob\r\n'],
])('the mailbox holds what was sent: %s', async (_what, text) => {
  const pool = openPool()
  const seen = new Set(dovecot.mailbox('ann').map(String))
  const nextHop = { protocol: 'lmtp', host: '127.0.0.1', port: dovecot.port } as const
  const content = contentOf(Buffer.from(text, 'latin1'), 1000)
  const { told } = await handOver(pool, nextHop, { recipients: ['ann@example.com'], content, body: '8BITMIME' })
  expect(told).toEqual([expect.stringMatching(/^delivered: 250 /)])
  const fresh = dovecot.mailbox('ann').filter(file => !seen.has(String(file)))
  expect(fresh.map(withoutItsOwn)).toEqual([text])
})

test('several messages go over one session, under TLS that is verified', async () => {
  const pool = openPool()
  const secured = { tls: 'verify', ca: dovecot.certificate, certificateName: NAME } as const
  const nextHop = { protocol: 'lmtp', host: '127.0.0.1', port: dovecot.port, ...secured } as const
  const first = await handOver(pool, nextHop, {
    recipients: ['ann@example.com', 'eve@example.com', 'dora@example.com'],
  })
  expect(first.results.map(({ kind }) => kind).toSorted()).toEqual(['delivered', 'delivered', 'failed'])
  const second = await handOver(pool, nextHop, { recipients: ['ann@example.com'] })
  expect(second.told).toEqual([expect.stringMatching(/^delivered: /)])
  expect(second.session).toBe(first.session)
  expect(second.session).toMatchObject({ transactions: 2, tls: { version: 'TLSv1.3', verified: true } })
})
