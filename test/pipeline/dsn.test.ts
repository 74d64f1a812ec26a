// Senders are told what became of their mail, by the real program, once; and of what they must not be told, they are not.
import { rm } from 'node:fs/promises'
import { expect, inject, onTestFinished, test } from 'vitest'
import type { CrashPoint } from '../../src/platform/crash-point.ts'
import { type Script, startNextHop } from '../deliver/next-hop.ts'
import { type ParsedReport, parseReport } from '../deliver/parse-report.ts'
import { greeted } from '../ingress/dialogue.ts'
import { type Gateway, type GatewayOptions, startGateway, temporaryDirectory } from './gateway.ts'
import { gtube, mail, onTheWire, readMail, send } from './mail.ts'
import { withScanners } from './scanners.ts'

async function nextHopThat(script: Script) {
  const nextHop = await startNextHop(script)
  onTestFinished(() => nextHop.close())
  return nextHop
}

type Settings = Omit<GatewayOptions, 'config'> & { delivery?: Record<string, unknown>; plugins?: unknown[] }

/** Mail for example.com goes to this next hop, reports to senders into the maildir. */
function gatewayTo(to: string, directory: string, { delivery = {}, plugins = [], ...options }: Settings = {}) {
  return startGateway({
    ...options,
    directory,
    config: {
      relay: { domains: ['example.com'], networks: [] },
      plugins,
      routes: [
        { domains: ['example.com'], to },
        { domains: ['*'], to: `maildir:${directory}/maildir` },
      ],
      delivery: { retry_schedule: ['100ms'], ...delivery },
    },
  })
}

async function gatewayWith(script: Script, settings: Settings = {}) {
  const nextHop = await nextHopThat(script)
  const directory = await temporaryDirectory()
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const gateway = await gatewayTo(nextHop.url, directory, settings)
  onTestFinished(() => gateway[Symbol.asyncDispose]())
  return { nextHop, gateway, directory }
}

/** Waits until the reports on a message have reached the sender, and reads them in the order of their writing. */
async function reportsOn(gateway: Gateway, queueId: string): Promise<{ report: ParsedReport; raw: Buffer }[]> {
  const record = await gateway.record(queueId)
  const reports: Buffer[] = []
  for (const event of record!.events) {
    if (event.event !== 'reported') continue
    await gateway.settled(event.queueId, 'delivered')
    reports.push(...(await gateway.maildir()).filter(file => file.includes(`id ${event.queueId}`)))
  }
  return reports.map(raw => ({ raw, report: parseReport(raw) }))
}

const refusing: Script = { rcpt: said => (said.includes('never@') ? '550 5.1.1 No such user' : '250 2.1.5 Ok') }

test('one of three recipients is refused: one report comes back, and the books balance', async () => {
  const { gateway } = await gatewayWith(refusing)
  const to = ['bob@example.com', 'never@example.com', 'carol@example.com']
  const content = mail()
  const { queueId } = await send(gateway.port, { to, content })
  const record = await gateway.settled(queueId, 'delivered', 'failed')
  expect(record.events.at(-1)).toMatchObject({ event: 'reported', action: 'failed', recipients: ['never@example.com'] })
  const [{ report, raw }, ...others] = (await reportsOn(gateway, queueId)) as [{ report: ParsedReport; raw: Buffer }]
  expect(others).toEqual([])
  expect(report).toMatchObject({
    defects: [],
    header: { 'return-path': '<>', to: 'alice@sender.example', 'auto-submitted': 'auto-replied' },
    status: [
      { 'reporting-mta': 'dns; mx.example.com' },
      {
        'final-recipient': 'rfc822; never@example.com',
        action: 'failed',
        status: '5.1.1',
        'remote-mta': 'dns; [127.0.0.1]',
        'diagnostic-code': 'smtp; 550 5.1.1 No such user',
      },
    ],
  })
  expect(report.parts[2]).toMatchObject({ type: 'text/rfc822-headers' })
  expect(content.startsWith(report.parts[2]!.text)).toBe(true)
  expect(report.header['in-reply-to']).toBe(readMail(Buffer.from(content)).field('Message-ID')[0])
  expect(readMail(raw).field('Received')).toEqual([expect.stringMatching(/^by mx\.example\.com id \w{20};/)])
  expect(await gateway.ledger()).toMatchObject({ accepted: 4, delivered: 3, failed: 1, imbalance: 0 })
  expect(await gateway.metric('elemta_dsn_total{action="failed"}')).toBe(1)
  const trace = await gateway.elemta('trace', queueId)
  expect(trace.stdout).toContain('never@example.com')
})

test('NOTIFY, RET, ENVID and ORCPT are kept to', async () => {
  const { gateway } = await gatewayWith(refusing)
  const client = await greeted(gateway.port)
  onTestFinished(() => client.hangUp())
  async function sendWith(mailParameters: string, recipients: readonly string[], content: string) {
    await client.say(`MAIL FROM:<alice@sender.example> ${mailParameters}`)
    for (const recipient of recipients) expect(await client.say(`RCPT TO:${recipient}`)).toMatch(/^250 /)
    await client.say('DATA')
    client.send(onTheWire(content))
    const queueId = /queued as (\w{20})$/.exec(await client.reply())![1]!
    await gateway.settled(queueId, 'delivered', 'failed')
    return (await reportsOn(gateway, queueId)).map(({ report }) => report)
  }

  expect(await sendWith('', ['<never@example.com> NOTIFY=NEVER', '<bob@example.com> NOTIFY=FAILURE'], mail())).toEqual(
    [],
  )
  expect(await gateway.metric('elemta_dsn_suppressed_total{reason="never"}')).toBe(1)

  const content = mail()
  const [full] = await sendWith(
    'RET=FULL ENVID=QQ+2B1',
    ['<never@example.com> ORCPT=rfc822;Old+2BName@example.net'],
    content,
  )
  expect(full!.status[0]).toMatchObject({ 'original-envelope-id': 'QQ+1' })
  expect(full!.status[1]).toMatchObject({ 'original-recipient': 'rfc822; Old+Name@example.net' })
  expect(full!.parts[2]).toMatchObject({ type: 'message/rfc822' })
  expect(full!.parts[2]!.text.trimEnd()).toBe(content.trimEnd())

  const [headers] = await sendWith('RET=HDRS', ['<never@example.com>'], mail())
  expect(headers!.parts[2]).toMatchObject({ type: 'text/rfc822-headers' })
  const large = mail({ body: `${'x'.repeat(70)}\r\n`.repeat(1000) })
  const [cut] = await sendWith('RET=FULL', ['<never@example.com>'], large)
  expect(cut!.parts[2]).toMatchObject({ type: 'text/rfc822-headers' })

  const both = ['<bob@example.com> NOTIFY=SUCCESS,FAILURE', '<never@example.com> NOTIFY=SUCCESS,FAILURE']
  const told = await sendWith('RET=FULL', both, mail())
  expect(told.map(({ status }) => [status[1]!.action, status[1]!['final-recipient']]).sort()).toEqual([
    ['failed', 'rfc822; never@example.com'],
    ['relayed', 'rfc822; bob@example.com'],
  ])
  expect(await gateway.metric('elemta_dsn_total{action="relayed"}')).toBe(1)
  expect(await gateway.ledger()).toMatchObject({ imbalance: 0 })
})

test('a next hop that sends reports itself is told what was asked for, and then it is its duty', async () => {
  const hello = ['next-hop.example', 'PIPELINING', 'DSN']
    .map((word, n) => `250${n === 2 ? ' ' : '-'}${word}`)
    .join('\r\n')
  const { gateway, nextHop } = await gatewayWith({ hello })
  const client = await greeted(gateway.port)
  onTestFinished(() => client.hangUp())
  await client.say('MAIL FROM:<alice@sender.example> RET=HDRS ENVID=QQ+2B1')
  await client.say('RCPT TO:<bob@example.com> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob+2BOld@example.net')
  await client.say('DATA')
  client.send(onTheWire(mail()))
  const queueId = /queued as (\w{20})$/.exec(await client.reply())![1]!
  const record = await gateway.settled(queueId, 'delivered')
  expect(record.events.map(({ event }) => event)).not.toContain('reported')
  expect(nextHop.messages[0]?.mail).toContain('RET=HDRS ENVID=QQ+2B1')
  expect(nextHop.messages[0]?.recipients[0]).toContain('NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob+2BOld@example.net')
})

test('what is late is told of once, and its end too', async () => {
  const { gateway } = await gatewayWith(
    { rcpt: '450 4.2.0 Mailbox busy' },
    { delivery: { delay_warning: '300ms', lifetime: '1500ms' } },
  )
  const { queueId } = await send(gateway.port, { content: mail() })
  await gateway.settled(queueId, 'failed')
  const reports = (await reportsOn(gateway, queueId)).map(({ report }) => report)
  expect(reports.map(({ status }) => [status[1]!.action, status[1]!.status])).toEqual([
    ['delayed', '4.2.0'],
    ['failed', '5.4.7'],
  ])
  expect(reports[0]!.status[1]).toHaveProperty('will-retry-until')
  expect(await gateway.metric('elemta_dsn_total{action="delayed"}')).toBe(1)
  expect(await gateway.ledger()).toMatchObject({ accepted: 3, delivered: 2, failed: 1, imbalance: 0 })
})

test('nobody is told of reports, of answers that programs sent, or more often than the rate allows', async () => {
  const { gateway } = await gatewayWith(refusing, { delivery: { dsn: { per_sender: '2/h' } } })
  const to = 'never@example.com'
  const failed = async (from: string, content = mail()) => {
    const { queueId } = await send(gateway.port, { from, to, content })
    await gateway.settled(queueId, 'failed')
    return reportsOn(gateway, queueId)
  }
  expect(await failed('')).toEqual([])
  expect(await failed('alice@sender.example', mail({ header: ['Auto-Submitted: auto-replied'] }))).toEqual([])
  expect(
    await failed('alice@sender.example', mail({ header: ['Content-Type: multipart/report; boundary=x'] })),
  ).toEqual([])
  expect(await failed('alice@sender.example')).toHaveLength(1)
  expect(await failed('alice@sender.example')).toHaveLength(1)
  expect(await failed('Alice@sender.example')).toEqual([])
  expect(await failed('carol@sender.example')).toHaveLength(1)
  const suppressed = (reason: string) => gateway.metric(`elemta_dsn_suppressed_total{reason="${reason}"}`)
  expect([await suppressed('null-sender'), await suppressed('report'), await suppressed('rate')]).toEqual([1, 2, 1])
  expect(await gateway.metric('elemta_double_bounces_total')).toBe(1)
  expect(await gateway.ledger()).toMatchObject({ accepted: 10, delivered: 3, failed: 7, imbalance: 0 })
})

test('nobody is told of spam that could not be delivered; of clean mail that was scanned the sender is', async () => {
  const { gateway } = await gatewayWith(refusing, withScanners(inject('clamav'), inject('rspamd')))
  const to = 'never@example.com'
  const { queueId } = await send(gateway.port, { to, content: mail({ body: `${gtube('Y')}\r\n` }) })
  const record = await gateway.settled(queueId, 'failed')
  expect(record.events).toContainEqual(expect.objectContaining({ event: 'verdict', decision: 'tag' }))
  expect(record.events.map(({ event }) => event)).not.toContain('reported')
  const { queueId: clean } = await send(gateway.port, { to, content: mail() })
  await gateway.settled(clean, 'failed')
  expect(await reportsOn(gateway, clean)).toHaveLength(1)
  expect(await gateway.metric('elemta_dsn_suppressed_total{reason="not-clean"}')).toBe(1)
  expect(await gateway.ledger()).toMatchObject({ accepted: 3, delivered: 1, failed: 2, imbalance: 0 })
})

test('a report that cannot be delivered goes to the postmaster, whose own go nowhere', async () => {
  const everybody: Script = { rcpt: '550 5.1.1 No such user' }
  const { gateway } = await gatewayWith(everybody, { delivery: { dsn: { double_bounce: 'postmaster' } } })
  const { queueId } = await send(gateway.port, { from: 'gone@example.com', content: mail() })
  const first = (await gateway.settled(queueId, 'failed')).events.at(-1)
  const report = await gateway.settled((first as { queueId: string }).queueId, 'failed')
  expect(report.message.envelope).toMatchObject({ reversePath: '', recipients: [{ address: 'gone@example.com' }] })
  const second = report.events.at(-1) as { queueId: string }
  const toPostmaster = await gateway.settled(second.queueId, 'failed')
  expect(toPostmaster.message.envelope.recipients).toEqual([{ address: 'postmaster@example.com' }])
  expect(toPostmaster.events.map(({ event }) => event)).not.toContain('reported')
  expect(await gateway.metric('elemta_double_bounces_total')).toBe(2)
  expect(await gateway.ledger()).toMatchObject({ accepted: 3, failed: 3, imbalance: 0 })
})

test.each<CrashPoint>(['before-delivery', 'before-ledger', 'after-outcome'])(
  'killed %s, a failure has its report, and only one',
  async point => {
    const nextHop = await nextHopThat(refusing)
    const directory = await temporaryDirectory()
    onTestFinished(() => rm(directory, { recursive: true, force: true }))
    const dying = await gatewayTo(nextHop.url, directory, { crashAt: point })
    const to = 'never@example.com'
    const { queueId } = await send(dying.port, { to, content: mail() })
    expect(await dying.ended).toBe('SIGKILL')
    expect(await dying.ledger()).toMatchObject({ imbalance: 0 })
    await using gateway = await gatewayTo(nextHop.url, directory)
    await gateway.settled(queueId, 'failed')
    expect(await reportsOn(gateway, queueId)).toHaveLength(1)
    expect(await gateway.maildir()).toHaveLength(1)
    expect(await gateway.ledger()).toMatchObject({ accepted: 2, delivered: 1, failed: 1, imbalance: 0 })
  },
)
