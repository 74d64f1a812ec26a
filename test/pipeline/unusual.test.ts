// Mail that is unusual and right, or simply wrong: it is handled like any other, and its octets stay as they are.
import { expect, inject, onTestFinished, test } from 'vitest'
import { startNextHop } from '../deliver/next-hop.ts'
import { startGateway } from './gateway.ts'
import { mail, readMail, send } from './mail.ts'
import { withScanners } from './scanners.ts'

const scanned = () => withScanners(inject('clamav'), inject('rspamd'))

test('addresses, header and body beyond ASCII pass as they came', async () => {
  const nextHop = await startNextHop()
  onTestFinished(() => nextHop.close())
  const routes = [{ domains: ['*'], to: nextHop.url }]
  const relay = { domains: ['bücher.example'], networks: [] }
  await using gateway = await startGateway({ config: { ...scanned(), routes, relay } })
  const body = 'Grüße, 您好\r\nlatin-1: \u00fc\r\n'
  const content = Buffer.concat([
    Buffer.from(mail({ header: ['Subject: Grüße', 'Content-Type: text/plain; charset=utf-8'], body })),
    Buffer.from([0xe9, 0xfc, 0x80, 0xff, 13, 10]),
  ])
  const { reply, queueId } = await send(gateway.port, {
    from: 'jürgen@müller.example',
    to: '用户@bücher.example',
    parameters: 'BODY=8BITMIME SMTPUTF8',
    content,
  })
  expect(reply).toMatch(/^250/)
  const record = await gateway.settled(queueId, 'delivered')
  expect(record.message.envelope).toMatchObject({ smtputf8: true, body: '8BITMIME' })
  const [message] = nextHop.messages
  expect(message!.mail).toMatch(/^MAIL FROM:<jürgen@(müller|xn--mller-kva)\.example>.* SMTPUTF8/)
  expect(message!.mail).toContain('BODY=8BITMIME')
  expect(message!.recipients).toEqual([expect.stringMatching(/^RCPT TO:<用户@(bücher|xn--bcher-kva)\.example>/)])
  expect(message!.content.toString('latin1').endsWith(content.toString('latin1'))).toBe(true)
  expect(readMail(message!.content).field('Received')[0]).toContain('with UTF8SMTP')
  const { stdout } = await gateway.elemta('trace', '用户@xn--bcher-kva.example')
  expect(stdout).toContain(queueId)
})

test('a hundred recipients get one copy each, with nobody else named in it', async () => {
  await using gateway = await startGateway({ config: scanned() })
  const to = Array.from({ length: 100 }, (_, n) => `user${n}@example.com`)
  const { queueId } = await send(gateway.port, { to, content: mail() })
  await gateway.settled(queueId, 'delivered')
  const copies = (await gateway.maildir()).map(readMail)
  expect(copies.flatMap(({ field }) => field('Delivered-To')).sort()).toEqual(to.toSorted())
  expect(copies.filter(({ header }) => header.match(/user\d+@/g)?.length !== 1)).toEqual([])
  expect(await gateway.ledger()).toMatchObject({ accepted: 100, delivered: 100, imbalance: 0 })
  expect(await gateway.metric('elemta_clamav_scans_total')).toBe(1)
})

test('mail that hardly is any goes through: no body, no header, a header without end, broken MIME', async () => {
  await using gateway = await startGateway({ config: scanned() })
  const wrong: Record<string, string> = {
    'header only': 'Subject: nothing else\r\n',
    'empty body': 'From: a@sender.example\r\nSubject: empty\r\n\r\n',
    'no header': 'just text\r\n',
    'begins with an empty line': '\r\nbody\r\n',
    'begins with white space': ' continued from nowhere\r\nSubject: x\r\n\r\nbody\r\n',
    'a 1 MB header line': `From: a@sender.example\r\nX-Long: ${'x'.repeat(1024 * 1024)}\r\n\r\nbody\r\n`,
    'a part that never ends': mail({
      header: ['Content-Type: multipart/mixed; boundary="b"'],
      body: '--b\r\n\r\npart',
    }),
    'no boundary': mail({ header: ['Content-Type: multipart/mixed'], body: 'part\r\n' }),
    'base64 that is none': mail({ header: ['Content-Transfer-Encoding: base64'], body: '%%%=?\r\n!\r\n' }),
    'a header in disorder': `: no name\r\nFrom\r\nSubject : space\r\nSubject: ${'\u0001'}\r\n\r\nbody\r\n`,
  }
  for (const [what, content] of Object.entries(wrong)) {
    const before = await gateway.maildir()
    const { code, queueId } = await send(gateway.port, { content })
    expect(code, what).toBe(250)
    const { recipients } = await gateway.settled(queueId, 'delivered', 'quarantined')
    expect(recipients[0]!.state, what).toBe('delivered')
    const known = new Set(before.map(String))
    const file = (await gateway.maildir()).find(each => !known.has(String(each)))!
    const expected = content.endsWith('\r\n') ? content : `${content}\r\n`
    expect(file.toString('latin1').endsWith(expected), what).toBe(true)
  }
  expect(await gateway.ledger()).toMatchObject({ delivered: Object.keys(wrong).length, imbalance: 0 })
})
