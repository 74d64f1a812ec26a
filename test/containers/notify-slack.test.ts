// notify-slack as a container: what a topic posts to it, and what Slack, or its own log, is told.
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startTopicServer } from '../../containers/notify-slack/topic-server.ts'
import { createNotifySlack } from '../../functions/notify-slack/notify-slack.ts'
import { silentLog } from '../../src/platform/log.ts'

const OURS = 'arn:aws:sns:eu-central-1:000000000000:ours'
const ALERT = JSON.stringify({
  source: 'elemta',
  status: 'firing',
  alerts: [{ labels: { alertname: 'ElemtaDown', severity: 'critical' } }],
})

let slack: Server
let told: string[]
let slackAnswers: number
let server: Server
let confirmed: string[]
let isReady: boolean

const portOf = (listening: Server) => (listening.address() as AddressInfo).port

beforeEach(async () => {
  told = []
  confirmed = []
  slackAnswers = 200
  isReady = true
  slack = createServer(async (request, response) => {
    told.push(JSON.parse(await text(request)).text)
    response.writeHead(slackAnswers).end()
  }).listen(0, '127.0.0.1')
  await once(slack, 'listening')
  server = await startTopicServer({
    port: 0,
    topics: [OURS],
    notify: createNotifySlack(async () => `http://127.0.0.1:${portOf(slack)}/`, { pauses: [] }),
    confirm: async (topic, token) => void confirmed.push(`${topic} ${token}`),
    isReady: () => isReady,
    log: silentLog,
  })
})
afterEach(() => {
  server.close()
  slack.close()
})

async function post(path: string, body: unknown): Promise<number> {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return (await fetch(`http://127.0.0.1:${portOf(server)}${path}`, { method: 'POST', body: text })).status
}

test('tells Slack what our topics say, once', async () => {
  const posted = { Type: 'Notification', TopicArn: OURS, Subject: null, Message: ALERT }
  expect(await post('/sns', posted)).toBe(200)
  expect(await post('/sns', posted)).toBe(200) // a topic may say it twice
  expect(told).toEqual(['*[CRITICAL] ElemtaDown*'])
})

test('what Slack does not take is for the topic to send again', async () => {
  slackAnswers = 500
  const posted = { Type: 'Notification', TopicArn: OURS, Message: ALERT }
  expect(await post('/sns', posted)).toBe(500)
  slackAnswers = 200
  expect(await post('/sns', posted)).toBe(200)
  expect(told).toHaveLength(2)
})

test('confirms subscriptions to our topics, and hears no others', async () => {
  expect(await post('/sns', { Type: 'SubscriptionConfirmation', TopicArn: OURS, Token: 't1' })).toBe(200)
  const theirs = OURS.replace('ours', 'theirs')
  expect(await post('/sns', { Type: 'SubscriptionConfirmation', TopicArn: theirs, Token: 't2' })).toBe(403)
  expect(await post('/sns', { Type: 'Notification', TopicArn: theirs, Message: ALERT })).toBe(403)
  expect(confirmed).toEqual([`${OURS} t1`])
  expect(told).toEqual([])
})

test('what is no message of a topic is refused, and the next one is heard', async () => {
  expect(await post('/sns', 'no JSON')).toBe(500)
  expect(await post('/elsewhere', {})).toBe(404)
  expect(await post('/slack', { text: 'without Slack it is printed' })).toBe(200)
  const health = () => fetch(`http://127.0.0.1:${portOf(server)}/healthz`).then(({ status }) => status)
  expect(await health()).toBe(200)
  isReady = false
  expect(await health()).toBe(503)
})
