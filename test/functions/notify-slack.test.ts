// Messages of the alert topics on their way to Slack: what each kind looks like there, what comes twice, and what happens
// when Slack does not take it. Slack is a web server of the test.
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { parseNotice } from '../../functions/notify-slack/notice.ts'
import { createNotifySlack } from '../../functions/notify-slack/notify-slack.ts'
import { recentlyTold } from '../../functions/notify-slack/recently-told.ts'
import { slackMessage } from '../../functions/notify-slack/slack-message.ts'

type Answer = Readonly<{ status: number; body?: string; headers?: Record<string, string> }>
type Slack = { text: string; attachments: { color: string; text: string }[] }

let server: Server
let url: string
let answers: Answer[]
let posted: { path: string; body: Slack }[]

beforeAll(async () => {
  server = createServer(async (request, response) => {
    posted.push({ path: request.url ?? '', body: (await json(request)) as Slack })
    const { status, body = 'ok', headers = {} } = answers.shift() ?? { status: 200 }
    response.writeHead(status, headers).end(body)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
beforeEach(() => {
  answers = []
  posted = []
})
afterAll(() => {
  server.close()
  server.closeAllConnections()
})

const QUICK = { pauses: [1, 1] }
const event = (Message: string | object, Subject?: string) => ({
  Records: [
    { Sns: { Message: typeof Message === 'string' ? Message : JSON.stringify(Message), ...(Subject && { Subject }) } },
  ],
})
const notifier = () => createNotifySlack(async () => `${url}/hook`, QUICK)

const ALARM = {
  AlarmName: 'elemta-dev-data-DeadLetters',
  AlarmDescription:
    'critical: Jobs lie in the dead-letter queue. Runbook: https://runbooks.example.com/monitoring/runbooks/DeadLetters.md',
  NewStateValue: 'ALARM',
  NewStateReason: 'Threshold Crossed: 1 datapoint [3.0] was greater than the threshold (0.0).',
  StateChangeTime: '2026-11-22T08:00:00.000+0000',
  Region: 'EU (Frankfurt)',
  AlarmArn: 'arn:aws:cloudwatch:eu-central-1:111111111111:alarm:elemta-dev-data-DeadLetters',
}

const alert = (name: string, more: object = {}) => ({
  status: 'firing',
  labels: { alertname: name, severity: 'warning', team: 'mail', route: 'example.com' },
  annotations: { summary: `${name} in short`, description: `${name} at length: 12 %` },
  fingerprint: `f-${name}`,
  ...more,
})
const group = (...alerts: object[]) => ({
  source: 'elemta',
  status: 'firing',
  receiver: 'warning',
  count: alerts.length,
  group: { alertname: 'A' },
  alerts,
})

describe('what Slack shows', () => {
  test('of an alarm of CloudWatch: state, reason with the value, runbook, and the alarm itself', async () => {
    await notifier()(event(ALARM, 'ALARM: "elemta-dev-data-DeadLetters" in EU (Frankfurt)'))
    expect(posted).toEqual([
      {
        path: '/hook',
        body: {
          text: '*[CRITICAL] elemta-dev-data-DeadLetters*',
          attachments: [expect.objectContaining({ color: '#d00000' })],
        },
      },
    ])
    expect(posted[0]!.body.attachments[0]!.text.split('\n')).toEqual([
      'Jobs lie in the dead-letter queue. Runbook: https://runbooks.example.com/monitoring/runbooks/DeadLetters.md',
      'Threshold Crossed: 1 datapoint [3.0] was greater than the threshold (0.0).',
      'EU (Frankfurt)',
      expect.stringMatching(
        /^<https:\/\/runbooks.example.com\/monitoring\/runbooks\/DeadLetters.md\|Runbook> · <https:\/\/eu-central-1\.console\.aws\.amazon\.com\/cloudwatch\/.*\|Dashboard>$/,
      ),
    ])
  })

  test('of an alarm that is over: green', async () => {
    await notifier()(event({ ...ALARM, NewStateValue: 'OK' }))
    expect(posted[0]!.body).toMatchObject({
      text: '*[RESOLVED] elemta-dev-data-DeadLetters*',
      attachments: [{ color: '#2e8b57' }],
    })
  })

  test('of several alerts: each in the colour of its own state, ten at most', () => {
    const many = Array.from({ length: 12 }, (_, n) => alert(`A${n}`))
    const message = slackMessage(
      parseNotice('', JSON.stringify({ ...group(alert('A', { status: 'resolved' }), ...many), count: 40 })),
    )
    expect(message.text).toBe('*[WARNING] A: A in short (40 alerts)*')
    expect(message.attachments.map(({ color }) => color)).toEqual(['#2e8b57', ...Array(10).fill('#e8a317')])
    expect(message.attachments[0]!.text).toBe('A at length: 12 % _over_\nroute example.com')
    expect(message.attachments.at(-1)!.text).toBe('and 30 more')
  })

  test.each([
    ['plain text', 'something "odd" <!channel> & more', 'Odd subject'],
    ['JSON of another shape', '{"version":"0","detail":{"state":"x"}}', 'Odd subject'],
    ['ours, but broken', '{"source":"elemta","alerts":[null]}', 'Odd subject'],
    ['ours, cut short', JSON.stringify(group(alert('A'))).slice(0, 60), 'Odd subject'],
    ['nothing at all', '', undefined],
  ])('of what nobody knows (%s): the text, and never a call of a channel', async (_, text, subject) => {
    await notifier()(event(text, subject))
    const { body } = posted[0]!
    expect(body.text).toBe(`*${subject ?? 'Message without a subject'}*`)
    expect(body.attachments[0]!.text).toBe(text.replace('<!channel> &', '&lt;!channel&gt; &amp;'))
  })

  test('of a text without an end: its beginning', async () => {
    await notifier()(event('x'.repeat(200_000), 'Long'))
    expect(posted[0]!.body.attachments[0]!.text.length).toBeLessThan(3_000)
  })
})

describe('what comes twice', () => {
  test('is told once; what differs in anything is told', async () => {
    const notify = notifier()
    await notify(event(group(alert('A'))))
    await notify(event(group(alert('A'))))
    expect(posted).toHaveLength(1)
    await notify(event(group(alert('A'), alert('B'))))
    await notify(event({ ...group(alert('A', { status: 'resolved' })), status: 'resolved' }))
    await notify(event({ ...ALARM, NewStateValue: 'OK' }))
    await notify(event(ALARM))
    expect(posted).toHaveLength(5)
  })

  test('later is a repetition that is meant', () => {
    const told = recentlyTold(120_000, 2)
    told.add('a', 0)
    expect([told.has('a', 119_999), told.has('a', 120_000), told.has('b', 1)]).toEqual([true, false, false])
    told.add('b', 1)
    told.add('c', 2) // one more than it keeps
    expect([told.has('a', 3), told.has('b', 3), told.has('c', 3)]).toEqual([false, true, true])
  })
})

describe('when Slack does not take it', () => {
  test('for now, it is tried again, as late as Slack wants', async () => {
    answers = [{ status: 503 }, { status: 429, headers: { 'retry-after': '0' } }]
    await notifier()(event(ALARM))
    expect(posted).toHaveLength(3)
  })

  test('for long, the function fails, and the next message is told, the same one, too', async () => {
    const notify = notifier()
    answers = [{ status: 500 }, { status: 500 }, { status: 500, body: 'server_error' }]
    await expect(notify(event(ALARM))).rejects.toThrow('Slack answered 500 server_error')
    await notify(event(ALARM))
    expect(posted).toHaveLength(4)
  })

  test('longer than the function may take, it fails while it still can', async () => {
    answers = [{ status: 429, headers: { 'retry-after': '3600' } }]
    await expect(notifier()(event(ALARM), { getRemainingTimeInMillis: () => 5_000 })).rejects.toThrow('429')
    expect(posted).toHaveLength(1)
  })

  test('because the webhook is gone, it fails at once and asks for the address anew', async () => {
    const addresses = ['old', 'new']
    const notify = createNotifySlack(async () => `${url}/${addresses.shift()}`, QUICK)
    answers = [{ status: 404, body: 'no_service' }]
    await expect(notify(event(ALARM))).rejects.toThrow('no_service')
    await notify(event(ALARM))
    await notify(event({ ...ALARM, NewStateValue: 'OK' }))
    expect(posted.map(({ path }) => path)).toEqual(['/old', '/new', '/new'])
  })

  test('because the secret is empty, it fails until it is filled', async () => {
    let filled = false
    const notify = createNotifySlack(async () => {
      if (!filled) throw new Error('the secret is still empty')
      return `${url}/hook`
    }, QUICK)
    await expect(notify(event(ALARM))).rejects.toThrow('still empty')
    filled = true
    await notify(event(ALARM))
    expect(posted).toHaveLength(1)
  })
})
