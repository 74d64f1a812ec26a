// Bad mail: what the real scanners find is set aside, nothing of it is delivered and nobody is written to.

import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { type NextHop, startNextHop } from '../deliver/next-hop.ts'
import { type Gateway, startGateway } from './gateway.ts'
import { EICAR, gtube, mail, mailWithAttachment, readMail, send } from './mail.ts'
import { withScanners } from './scanners.ts'
import { zip } from './zip.ts'

let gateway: Gateway
let nextHop: NextHop

beforeAll(async () => {
  nextHop = await startNextHop()
  const routes = [
    { domains: ['sender.example'], to: nextHop.url }, // where a DSN to the sender would go
    { domains: ['example.com'], to: nextHop.url },
  ]
  gateway = await startGateway({ config: { ...withScanners(inject('clamav'), inject('rspamd')), routes } })
})

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]()
  await nextHop?.close()
})

const virus = /^Eicar-Test-Signature(\.UNOFFICIAL)? \(ClamAV\)$/
const bad: [what: string, content: string, why: RegExp][] = [
  ['GTUBE', mail({ body: `${gtube()}\r\n` }), /^score 15 of 15 \(Rspamd\)$/],
  ['EICAR in an attachment', mailWithAttachment('invoice.com', Buffer.from(EICAR)), virus],
  ['EICAR in a zip', mailWithAttachment('invoice.zip', zip('invoice.com', Buffer.from(EICAR))), virus],
  ['EICAR in a zip in a zip', mailWithAttachment('a.zip', zip('b.zip', zip('c.com', Buffer.from(EICAR)))), virus],
  ['a virus in spam', mailWithAttachment('a.com', Buffer.from(`${EICAR}\r\n${gtube()}`)), virus],
]

test.each(bad)('%s is quarantined, and not a word goes out', async (_what, content, why) => {
  const { code, queueId } = await send(gateway.port, { content })
  expect(code).toBe(250)
  const record = await gateway.settled(queueId, 'quarantined')
  expect(record.events.map(({ event }) => event)).toEqual(['accepted', 'scanned', 'verdict', 'quarantined'])
  expect(record.events.at(-1)).toMatchObject({ why: expect.stringMatching(why), recipients: ['bob@example.com'] })
  const { stdout } = await gateway.elemta('trace', queueId)
  expect(stdout).toMatch(new RegExp(`quarantined: ${why.source.slice(1, -1)} \\(bob@example\\.com\\)`))
})

test('after all of them nothing was sent, everything is kept and counted', async () => {
  const { code, queueId } = await send(gateway.port, { content: mail() })
  expect(code).toBe(250)
  await gateway.settled(queueId, 'delivered')
  expect(nextHop.messages.map(({ recipients }) => recipients)).toEqual([['RCPT TO:<bob@example.com>']])
  expect(await gateway.ledger()).toMatchObject({ accepted: bad.length + 1, quarantined: bad.length, imbalance: 0 })
  expect(await gateway.metric('elemta_verdicts_total{decision="quarantine"}')).toBe(bad.length)
  expect(await gateway.metric('elemta_clamav_virus_detected_total')).toBe(bad.length - 1)
  expect(await gateway.metric('elemta_rspamd_actions_total{action="reject"}')).toBeGreaterThanOrEqual(1)
})

test('an encrypted archive is set aside as what it is: something that nobody could look into', async () => {
  const content = mailWithAttachment('secret.zip', zip('plan.txt', Buffer.from('secret'), { encrypted: true }))
  const { queueId } = await send(gateway.port, { content })
  const record = await gateway.settled(queueId, 'quarantined')
  expect(record.events.at(-1)).toMatchObject({ why: 'Heuristics.Encrypted.Zip (ClamAV)' })
  expect(await gateway.metric('elemta_clamav_heuristics_total')).toBe(1)
})

test('mail between clean and spam is delivered with a tag', async () => {
  const { queueId } = await send(gateway.port, { content: mail({ body: `${gtube('Y')}\r\n` }) })
  await gateway.settled(queueId, 'delivered')
  const { content } = nextHop.messages.at(-1)!
  const { field } = readMail(content)
  expect(field('X-Spam-Flag')).toEqual(['YES'])
  expect(field('X-Spam-Status')).toEqual([expect.stringMatching(/^Yes, score=/)])
  expect(field('X-Virus-Status')).toEqual(['Clean'])
  expect(await gateway.metric('elemta_verdicts_total{decision="tag"}')).toBe(1)
})

test('verdicts that come from outside are not passed on as ours', async () => {
  const header = [
    'X-Spam-Status: No, score=-99.9',
    'X-Spam-Flag: NO',
    'X-Virus-Scanned: by the best',
    'X-VIRUS-STATUS: Clean',
    'Authentication-Results: mx.example.com; spf=pass smtp.mailfrom=bank.example',
    'Authentication-Results: (of (mx.example.com))',
    ' "mx.example.com"; dkim=pass',
    'Authentication-Results: relay.sender.example; spf=pass',
    'Return-Path: <boss@example.com>',
    'X-Mailer: kept',
  ]
  const { queueId } = await send(gateway.port, { content: mail({ header, body: `${gtube('Y')}\r\n` }) })
  await gateway.settled(queueId, 'delivered')
  const { field } = readMail(nextHop.messages.at(-1)!.content)
  expect(field('X-Spam-Status')).toEqual([expect.stringMatching(/^Yes, score=/)])
  expect(field('X-Spam-Flag')).toEqual(['YES'])
  expect(field('X-Virus-Scanned')).toEqual(['ClamAV'])
  expect(field('X-Virus-Status')).toEqual(['Clean'])
  // GTUBE ends rspamd's work before it has looked at SPF, DKIM and DMARC (RFC 8601 §2.2: none was done).
  expect(field('Authentication-Results')).toEqual([
    expect.stringMatching(/^mx\.example\.com;\s+none$/),
    'relay.sender.example; spf=pass',
  ])
  expect(field('Return-Path')).toEqual([])
  expect(field('X-Mailer')).toEqual(['kept'])
})
