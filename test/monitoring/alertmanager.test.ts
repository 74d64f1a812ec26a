// A real Alertmanager with our routing and templates, an SMTP server and a web server in place of the smarthost, Slack and
// the dead-man's switch: what arrives where, and what it says.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Alertmanager, PostedAlert } from '../../local/drill/alertmanager.ts'
import { type HttpSink, startHttpSink } from '../../local/drill/http-sink.ts'
import { helloReply, type NextHop, startNextHop } from '../deliver/next-hop.ts'
import { alertmanagerFiles, PEOPLE, quickRouting } from './routing-files.ts'
import { startPrivateAlertmanager } from './start-alertmanager.ts'

const NOBODY = 'route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n'
const DAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday']
let smarthost: NextHop
let web: HttpSink
let alertmanager: Alertmanager

beforeAll(async () => {
  smarthost = await startNextHop({ hello: helloReply(['smarthost.example', 'AUTH PLAIN']), auth: '235 2.7.0 ok' })
  web = await startHttpSink()
  alertmanager = await startPrivateAlertmanager(
    {
      'alertmanager.yml': NOBODY,
      'secrets/smtp_password': 'correct horse', // a line end would be part of it
      'secrets/slack_url': `${web.url}/slack\n`,
    },
    { flags: ['--web.external-url=http://alerts.example.com/'] },
  )
  await follow()
})

afterAll(async () => {
  await alertmanager?.stop()
  await Promise.all([smarthost?.close(), web?.close()])
})

/** From now on these are the settings; `more` is YAML. */
async function follow(more = ''): Promise<void> {
  const settings = quickRouting(`127.0.0.1:${smarthost.port}`, `${alertmanager.home}/secrets`, more)
  await alertmanager.reload(alertmanagerFiles(settings, `${web.url}/dead-man`))
}

function alert(alertname: string, severity: string, labels: Record<string, string> = {}): PostedAlert {
  return {
    labels: { alertname, severity, team: 'mail', ...labels },
    annotations: {
      summary: `${alertname} in short`,
      description: `It is 42.5 % of ${alertname}.`,
      runbook_url: `https://runbooks.example.com/${alertname}.md`,
      dashboard_url: 'http://grafana.example.com/d/elemta-dashboard',
    },
  }
}

const over = (posted: PostedAlert): PostedAlert => ({ ...posted, endsAt: new Date().toISOString() })

type Mail = { to: string[]; subject: string; text: string; header: string }
type Slack = { channel: string; title: string; text: string; color: string }

/** Mail about an alert; decoded. */
function mailAbout(name: string): Mail[] {
  return smarthost.messages
    .map(({ recipients, content }) => {
      const raw = content.toString('utf8')
      const header = raw.slice(0, raw.indexOf('\r\n\r\n'))
      const subject = /^Subject: (.*(?:\r\n[ \t].*)*)/m.exec(header)?.[1] ?? ''
      return { to: [...recipients].map(String), subject: decodeWords(subject), text: decodeQuoted(raw), header }
    })
    .filter(({ subject }) => subject.includes(name))
}

const slackAbout = (name: string): Slack[] =>
  web.posted
    .filter(({ path }) => path === '/slack')
    .map(({ body }) => {
      const { channel, attachments } = body as { channel: string; attachments: Slack[] }
      return { ...attachments[0]!, channel }
    })
    .filter(({ title }) => title.includes(name))

const signsOfLife = () => web.posted.filter(({ path }) => path === '/dead-man').length

function decodeQuoted(text: string): string {
  const octets = text
    .replace(/=\r\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
  return Buffer.from(octets, 'latin1').toString('utf8')
}

const decodeWords = (text: string) =>
  text
    .replace(/\?=\r\n[ \t]=\?utf-8\?q\?/gi, '')
    .replace(/=\?utf-8\?q\?(.*?)\?=/gi, (_, word: string) => decodeQuoted(word.replaceAll('_', ' ')))

test('a critical alert goes by mail and to Slack, with its value and its links; so does its end', async () => {
  const disk = alert('DiskSpaceLow', 'critical', { instance: 'mx1.example:8080' })
  await alertmanager.post([disk])
  await expect
    .poll(() => [mailAbout('DiskSpaceLow').length, slackAbout('DiskSpaceLow').length], { timeout: 10_000 })
    .toEqual([1, 1])
  const [mail] = mailAbout('DiskSpaceLow')
  const [slack] = slackAbout('DiskSpaceLow')
  const silence =
    'http://alerts.example.com/#/silences/new?filter=%7Balertname%3D%22DiskSpaceLow%22%2C%20instance%3D%22mx1.example%3A8080%22%2C%20team%3D%22mail%22%7D'

  expect(mail!.to).toEqual([expect.stringContaining('ops@example.com')])
  expect(mail!.subject).toBe('[CRITICAL] DiskSpaceLow: DiskSpaceLow in short')
  expect(mail!.header).toMatch(/^Auto-Submitted: auto-generated\r$/m)
  expect(mail!.text).toContain('It is 42.5 % of DiskSpaceLow.')
  expect(mail!.text).toMatch(/Since \d{4}-\d\d-\d\d \d\d:\d\d UTC · instance mx1.example:8080\r?\n/)
  expect(mail!.text).toMatch(/Runbook: +https:\/\/runbooks.example.com\/DiskSpaceLow.md\r?\n/)
  expect(mail!.text).toMatch(/Dashboard: +http:\/\/grafana.example.com\/d\/elemta-dashboard\r?\n/)
  expect(mail!.text).toContain(silence)
  expect(mail!.text).not.toContain('<html')

  expect(slack).toMatchObject({
    channel: '#critical',
    color: 'danger',
    title: '[CRITICAL] DiskSpaceLow: DiskSpaceLow in short',
  })
  expect(slack!.text).toContain('It is 42.5 % of DiskSpaceLow.')
  expect(slack!.text).toContain('<https://runbooks.example.com/DiskSpaceLow.md|Runbook>')
  expect(slack!.text).toContain('<http://grafana.example.com/d/elemta-dashboard|Dashboard>')
  expect(slack!.text).toContain(`<${silence}|Silence>`)

  await alertmanager.post([over(disk)])
  await expect
    .poll(() => [mailAbout('RESOLVED] DiskSpaceLow').length, slackAbout('RESOLVED] DiskSpaceLow').length], {
      timeout: 10_000,
    })
    .toEqual([1, 1])
  expect(slackAbout('RESOLVED] DiskSpaceLow')[0]).toMatchObject({ color: 'good' })
  expect(mailAbout('RESOLVED] DiskSpaceLow')[0]!.text).not.toContain('Silence')
})

test('the login at the smarthost comes from its file', () => {
  const login = Buffer.from('\0elemta\0correct horse').toString('base64')
  expect(smarthost.connections.flat()).toContain(`AUTH PLAIN ${login}`)
})

test('a warning goes to Slack alone; several of one name are one message; information goes nowhere', async () => {
  await alertmanager.post([
    alert('ReloadFailed', 'warning', { instance: 'a' }),
    alert('ReloadFailed', 'warning', { instance: 'b' }),
    alert('SpamRateAnomaly', 'info'),
  ])
  await expect
    .poll(() => slackAbout('ReloadFailed').at(-1), { timeout: 10_000 })
    .toMatchObject({
      channel: '#warnings',
      color: 'warning',
      title: '[WARNING] ReloadFailed: ReloadFailed in short (2 alerts)',
    })
  // Whatever comes later has gone the same way.
  await alertmanager.post([alert('LedgerImbalance', 'critical')])
  await expect.poll(() => mailAbout('LedgerImbalance').length, { timeout: 10_000 }).toBe(1)
  expect([mailAbout('ReloadFailed'), mailAbout('SpamRateAnomaly'), slackAbout('SpamRateAnomaly')]).toEqual([[], [], []])
})

describe('a cause silences what follows from it', () => {
  const cases: [string, PostedAlert, PostedAlert[], PostedAlert[]][] = [
    [
      'the second stage its first',
      alert('ClamAVDatabaseOutdated', 'critical'),
      [alert('ClamAVDatabaseOutdated', 'warning')],
      [alert('CertificateExpiring', 'warning', { certificate: 'mx' })],
    ],
    [
      'an instance that is down its own troubles, not those of others',
      alert('ElemtaDown', 'critical', { instance: 'down' }),
      [alert('DiskSpaceLow', 'critical', { instance: 'down' }), alert('CanaryMissing', 'critical', { kind: 'clean' })],
      [alert('DiskSpaceLow', 'critical', { instance: 'up' }), alert('Watchdog', 'info', { instance: 'down' })],
    ],
    [
      'a scanner that is down its latency and the age of its signatures',
      alert('ScannerDown', 'critical', { scanner: 'clamav' }),
      [alert('SecurityScanLatencyHigh', 'warning'), alert('SignatureUpdateFailing', 'warning')],
      [alert('RspamdHighSpamRate', 'info'), alert('SignatureStorm', 'critical')],
    ],
    [
      'back-pressure the growing queue',
      alert('BackPressure', 'critical', { reason: 'disk' }),
      [alert('QueueSizeGrowing', 'warning'), alert('OldestMessageTooOld', 'warning', { queue_type: 'deferred' })],
      [alert('OldestMessageTooOld', 'critical', { queue_type: 'incoming' })],
    ],
  ]
  test.each(cases)('%s', async (_, cause, silenced, heard) => {
    const posted = [cause, ...silenced, ...heard]
    await alertmanager.post(posted)
    const states = async () => {
      const all = await alertmanager.alerts()
      return posted.map(
        ({ labels }) =>
          all.find(
            one =>
              JSON.stringify(one.labels, Object.keys(labels).sort()) ===
              JSON.stringify(labels, Object.keys(labels).sort()),
          )?.status.state,
      )
    }
    await expect
      .poll(states, { timeout: 10_000 })
      .toEqual(['active', ...silenced.map(() => 'suppressed'), ...heard.map(() => 'active')])
    await alertmanager.post(posted.map(over))
  })
})

test('the Watchdog goes to the dead-man’s switch again and again, and to nobody else', async () => {
  const before = signsOfLife()
  await alertmanager.post([alert('Watchdog', 'info')])
  await expect.poll(signsOfLife, { timeout: 15_000 }).toBeGreaterThan(before + 2)
  expect([mailAbout('Watchdog'), slackAbout('Watchdog')]).toEqual([[], []])
})

test('the first in line at this hour is told as well as the team, the others are not', async () => {
  const today = new Date().getUTCDay()
  const hers = [today, (today + 1) % 7].map(day => DAYS[day]) // midnight may come in between
  const his = DAYS.filter(day => !hers.includes(day))
  await follow(
    `on_call: {${PEOPLE.trimStart()},
    first: [{ who: alice, weekdays: [${hers}] }, { who: bob, weekdays: [${his}] }], second: [{ who: carol }] }`.replace(
      'people:',
      ' people:',
    ),
  )
  const dead = alert('DeliveryStuck', 'critical')
  await alertmanager.post([dead])
  const told = (title: string) =>
    mailAbout(title)
      .map(({ to }) => String(to))
      .sort()
  await expect
    .poll(() => told('CRITICAL] DeliveryStuck'), { timeout: 10_000 })
    .toEqual([expect.stringContaining('alice@'), expect.stringContaining('ops@')])
  await expect
    .poll(() =>
      slackAbout('DeliveryStuck')
        .map(({ channel }) => channel)
        .sort(),
    )
    .toEqual(['#critical', '@alice'])
  await alertmanager.post([over(dead)])
  await expect
    .poll(() => told('RESOLVED] DeliveryStuck'), { timeout: 10_000 })
    .toEqual([expect.stringContaining('alice@'), expect.stringContaining('ops@')])
  expect(told('DeliveryStuck').filter(to => /bob|carol/.test(to))).toEqual([])
})

test('in a maintenance nobody is told, but signs of life go on; afterwards what is left is told', async () => {
  const today = new Date().toISOString().slice(0, 10)
  const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10)
  await follow(`maintenance: [{ name: now, date: ${today} }, { name: then, date: ${tomorrow} }]`)
  await alertmanager.post([
    alert('Maintained', 'critical'),
    alert('MaintainedToo', 'warning'),
    alert('Watchdog', 'info'),
  ])
  const before = signsOfLife()
  await expect.poll(signsOfLife, { timeout: 15_000 }).toBeGreaterThan(before + 2) // two intervals and more have passed
  expect([mailAbout('Maintained'), slackAbout('Maintained')]).toEqual([[], []])
  await follow()
  await expect
    .poll(() => [mailAbout('Maintained').length, slackAbout('MaintainedToo').length], { timeout: 10_000 })
    .toEqual([1, 1])
})
