// From a client to the mailboxes of a real Dovecot (Debian package dovecot-lmtpd): what arrives there, and who is told
// what when one of the mailboxes cannot take it.
import { rm, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Dovecot, startDovecot } from '../deliver/dovecot.ts'
import { certificateFor } from '../ingress/certificate.ts'
import { greeted } from '../ingress/dialogue.ts'
import { corpusMails } from './corpus.ts'
import { startGateway } from './gateway.ts'
import { mail, readMail, send, sendOn } from './mail.ts'

const CONNECTIONS = 4
let dovecot: Dovecot
beforeAll(async () => {
  const users = ['alice', 'ann', 'bob', 'carl'].map(name => ({ name }))
  dovecot = await startDovecot({ users, tls: await certificateFor(['localhost']) })
})
afterAll(() => dovecot?.stop())

const toDovecot = () => ({
  config: {
    routes: [{ domains: ['*'], to: dovecot.url }],
    delivery: { retry_schedule: ['200ms'] },
  },
})

test('one mailbox of three takes it at once, one when it is mended, and the sender is told of the third', async () => {
  await writeFile(dovecot.path('carl'), 'no directory')
  await using gateway = await startGateway(toDovecot())
  const to = ['ann@example.com', 'carl@example.com', 'eve@example.com']
  const { queueId } = await send(gateway.port, { from: 'alice@example.com', to, content: mail() })
  const deferred = await gateway.log(line => line.event === 'deferred' && line.queueId === queueId)
  expect(deferred).toMatchObject({ recipient: 'carl@example.com', nextHop: dovecot.url })
  await rm(dovecot.path('carl'))
  const { recipients, events } = await gateway.settled(queueId, 'delivered', 'failed')
  expect(recipients.map(({ state }) => state)).toEqual(['delivered', 'delivered', 'failed'])
  const arrived = (user: string) => dovecot.mailbox(user).filter(file => file.includes(` id ${queueId};\r\n`))
  expect(arrived('ann')).toHaveLength(1)
  expect(arrived('carl')).toHaveLength(1)

  const [report] = events.filter(({ event }) => event === 'reported')
  expect(report).toMatchObject({ action: 'failed', recipients: ['eve@example.com'] })
  await gateway.settled((report as { queueId: string }).queueId, 'delivered')
  const [received, ...more] = dovecot.mailbox('alice').map(readMail)
  expect(more).toEqual([])
  expect(received?.field('Return-Path')).toEqual(['<>'])
  expect(String(received?.body)).toContain('Final-Recipient: rfc822; eve@example.com')
  expect(String(received?.body)).not.toContain('carl@example.com')
})

test('Dovecot is asked by LMTP who exists, under TLS that is verified; who does not is refused at RCPT', async () => {
  await using gateway = await startGateway({
    config: {
      routes: [{ domains: ['*'], to: `lmtp://localhost:${dovecot.port}`, tls: 'verify', ca: dovecot.certificate }],
      plugins: [{ name: 'recipients', config: { call_ahead: true } }],
    },
  })
  const refused = await send(gateway.port, { to: 'eve@example.com', content: mail() })
  expect(refused.reply).toMatch(/^550 5\.1\.1 <eve@example\.com>: no such user here/)
  const before = dovecot.mailbox('ann').length
  const { queueId } = await send(gateway.port, { to: 'ann@example.com', content: mail() })
  await gateway.settled(queueId, 'delivered')
  expect(dovecot.mailbox('ann')).toHaveLength(before + 1)
})

/** Fields that the gateway takes out, since readers behind it would take them for its own. */
const TAKEN_OUT = /^(?:return-path|x-(?:spamd?|virus|rspamd|elemta)(?:-[\w-]*)?) *:/im

test('every mail of the corpus lies in the mailbox as it was sent', async () => {
  await using gateway = await startGateway(toDovecot())
  const mails = corpusMails()
  const queue = mails.values()
  const sent: { file: string; content: Buffer; queueId: string; reply: string }[] = []
  async function sendSome() {
    const client = await greeted(gateway.port)
    for (const { file, content } of queue) {
      const answer = await sendOn(client, { content, parameters: 'BODY=8BITMIME' })
      sent.push({ file, content, ...answer })
    }
    client.hangUp()
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, sendSome))
  expect(sent.filter(({ queueId }) => queueId === '')).toEqual([])
  for (const { queueId } of sent) await gateway.settled(queueId, 'delivered')

  const files = dovecot.mailbox('bob')
  expect(files).toHaveLength(mails.length)
  const wrong: string[] = []
  for (const { file, content, queueId } of sent) {
    const copies = files.filter(copy => copy.includes(` id ${queueId}\r\n`))
    if (copies.length !== 1 || !arrivedWhole(copies[0]!, content)) wrong.push(file)
  }
  expect(wrong).toEqual([])
  expect(await gateway.ledger()).toMatchObject({ accepted: mails.length, delivered: mails.length, imbalance: 0 })
})

/** Header and body below the trace; where the gateway takes fields out, those around them in order, and the body. */
function arrivedWhole(copy: Buffer, content: Buffer): boolean {
  const empty = content.indexOf('\r\n\r\n')
  const header = content.toString('latin1', 0, empty === -1 ? content.length : empty + 2)
  if (!TAKEN_OUT.test(header)) return copy.subarray(-content.length || copy.length).equals(content)
  const kept = header.split(/\r\n(?![ \t])/).filter(field => !TAKEN_OUT.test(field))
  const expected = Buffer.concat([Buffer.from(kept.join('\r\n'), 'latin1'), content.subarray(header.length)])
  return copy.subarray(-expected.length).equals(expected)
}
