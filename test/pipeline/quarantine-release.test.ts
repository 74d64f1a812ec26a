// The way out of quarantine, through the whole gateway: what is released is what the next hop has said 250 to.
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { type NextHop, startNextHop } from '../deliver/next-hop.ts'
import { type Gateway, startGateway } from './gateway.ts'
import { EICAR, gtube, mail, mailWithAttachment, readMail, send } from './mail.ts'
import { withScanners } from './scanners.ts'

let gateway: Gateway
let nextHop: NextHop
let refusing: NextHop

beforeAll(async () => {
  nextHop = await startNextHop()
  refusing = await startNextHop({ rcpt: '550 5.1.1 No such user' })
  const routes = [
    { domains: ['down.example.com'], to: 'smtp://127.0.0.1:1' },
    { domains: ['refusing.example.com'], to: refusing.url },
    { domains: ['example.com'], to: nextHop.url },
  ]
  const relay = { domains: ['example.com', 'down.example.com', 'refusing.example.com'], networks: [] }
  const rspamd = { ...inject('rspamd'), controller_port: inject('rspamd').controllerPort }
  gateway = await startGateway({ config: { ...withScanners(inject('clamav'), rspamd), routes, relay } })
})

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]()
  await nextHop?.close()
  await refusing?.close()
})

const spam = () => mail({ header: ['X-Spam-Flag: NO'], body: `${gtube()}\r\n` })
const virus = () => mailWithAttachment('invoice.com', Buffer.from(EICAR))
const sentTo = () => nextHop.messages.map(({ recipients }) => recipients)

async function quarantined(content: string, to?: string | readonly string[]): Promise<string> {
  const { queueId } = await send(gateway.port, { content, ...(to !== undefined && { to }) })
  await gateway.settled(queueId, 'quarantined')
  return queueId
}

test('spam is released to the one who is named, not caught again, and told when the next hop has it', async () => {
  const queueId = await quarantined(spam(), ['bob@example.com', 'carol@example.com'])
  const before = nextHop.messages.length

  const unclear = await gateway.elemta('quarantine', 'release', queueId)
  expect(unclear).toMatchObject({ code: 64, stderr: expect.stringContaining('say --to ADDRESS') })
  const stranger = await gateway.elemta('quarantine', 'release', queueId, '--to', 'eve@evil.example')
  expect(stranger).toMatchObject({ code: 66, stderr: expect.stringContaining('eve@evil.example') })
  expect(nextHop.messages).toHaveLength(before)

  const { stdout, code } = await gateway.elemta('quarantine', 'release', queueId, '--to', 'bob@example.com')
  expect(stdout).toMatch(new RegExp(`^${queueId}  <bob@example\\.com>  released: 250`))
  expect(code).toBe(0)
  expect(sentTo().slice(before)).toEqual([['RCPT TO:<bob@example.com>']])
  const { field } = readMail(nextHop.messages.at(-1)!.content)
  expect(field('X-Elemta-Released')).toEqual([expect.stringMatching(/^by \w+$/)])
  expect(field('X-Spam-Flag')).toEqual([])

  const record = (await gateway.record(queueId))!
  expect(record.recipients).toEqual([
    { recipient: 'bob@example.com', state: 'delivered' },
    { recipient: 'carol@example.com', state: 'quarantined' },
  ])
  const story = record.events.slice(4)
  expect(story.map(({ event }) => event)).toEqual(['operator', 'scanned', 'verdict', 'delivered', 'released'])
  expect(story[0]).toMatchObject({ action: 'release', by: expect.any(String), recipients: ['bob@example.com'] })
  expect(await gateway.ledger()).toMatchObject({ imbalance: 0 })

  const again = await gateway.elemta('quarantine', 'release', queueId, '--to', 'bob@example.com')
  expect(again).toMatchObject({ code: 66, stderr: expect.stringContaining('delivered already') })
  expect(nextHop.messages).toHaveLength(before + 1)
})

test('a virus that is none can be released', async () => {
  const queueId = await quarantined(virus())
  const { stdout } = await gateway.elemta('quarantine', 'release', queueId)
  expect(stdout).toContain('released: 250')
  const { field } = readMail(nextHop.messages.at(-1)!.content)
  expect(field('X-Virus-Status')).toEqual([expect.stringMatching(/^Released \(Eicar/)])
  expect(await gateway.metric('elemta_quarantine_released_total')).toBeGreaterThan(0)
})

test('what the next hop has not taken is not told as released', async () => {
  const queueId = await quarantined(spam(), 'bob@down.example.com')
  const { stdout, code } = await gateway.elemta('quarantine', 'release', queueId)
  expect(stdout).toMatch(/queued, not delivered yet: connection refused/)
  expect(code).toBe(75)
  const released = { event: 'released', recipients: ['bob@down.example.com'], by: expect.any(String) }
  expect((await gateway.record(queueId))!.events).not.toContainEqual(expect.objectContaining(released))

  await gateway.elemta('queue', 'reroute', queueId, '--to', nextHop.url)
  const { events } = await gateway.settled(queueId, 'delivered')
  expect(events.at(-1)).toMatchObject(released)
})

test('what the next hop refuses is told as that', async () => {
  const queueId = await quarantined(spam(), 'bob@refusing.example.com')
  const { stdout, code } = await gateway.elemta('quarantine', 'release', queueId)
  expect(stdout).toContain('not delivered: 550 5.1.1 No such user')
  expect(code).toBe(1)
  const { events } = await gateway.settled(queueId, 'failed')
  expect(events.map(({ event }) => event)).not.toContain('released')
})

test('nobody releases anything without the token', async () => {
  const queueId = await quarantined(spam(), 'erin@example.com')
  const init = {
    method: 'POST',
    body: JSON.stringify({ ids: [queueId] }),
    headers: { 'content-type': 'application/json' },
  }
  const response = await fetch(`http://127.0.0.1:${gateway.opsPort}/v1/quarantine/release`, init)
  expect(response.status).toBe(401)
  expect((await gateway.record(queueId))!.recipients).toMatchObject([{ state: 'quarantined' }])
})

test('rspamd is told what it was', async () => {
  const queueId = await quarantined(virus(), 'frank@example.com')
  const { stdout, stderr } = await gateway.elemta('quarantine', 'discard', queueId, '--learn', 'spam')
  expect(stdout).toContain('discarded')
  expect(stderr).toMatch(new RegExp(`${queueId} as spam: (learned|known|skipped)`))
})

test('lists, shows and discards', async () => {
  const queueId = await quarantined(spam(), 'dave@example.com')
  const found = await gateway.elemta('quarantine', 'search', 'a story', '--recipient', 'dave@example.com', '--json')
  expect(JSON.parse(found.stdout)).toMatchObject({ queueId, recipient: 'dave@example.com', subject: 'A story' })
  const { stdout: shown } = await gateway.elemta('quarantine', 'show', queueId)
  expect(shown).toContain(`  | ${gtube()}`)
  expect(shown).toContain('  Subject: A story')
  const { stdout, code } = await gateway.elemta('quarantine', 'discard', queueId)
  expect(stdout).toMatch(/<dave@example.com> {2}discarded/)
  expect(code).toBe(0)
  expect(await gateway.settled(queueId, 'discarded')).toBeDefined()
  expect(await gateway.elemta('quarantine', 'show', queueId)).toMatchObject({ code: 75 })
})

test('a signature that is ignored lets mail pass, beside a gateway that runs', async () => {
  const { events } = (await gateway.record(await quarantined(virus())))!
  const found = events.flatMap(event => (event.event === 'scanned' ? event.findings : []))
  const { signature } = found.find(finding => finding.kind === 'virus')!
  await gateway.elemta('clamav', 'ignore', signature, '--for', '1h')
  expect((await gateway.elemta('clamav', 'list')).stdout).toContain(signature)
  const { queueId } = await send(gateway.port, { content: virus() })
  await gateway.settled(queueId, 'delivered')
  const { field } = readMail(nextHop.messages.at(-1)!.content)
  expect(field('X-Virus-Status')).toEqual([`Ignored (${signature})`])
  expect(await gateway.metric('elemta_clamav_ignored_total')).toBe(1)
  await gateway.elemta('clamav', 'unignore', signature)
  await quarantined(virus())
})
