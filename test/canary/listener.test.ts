// Who may send to the canary: the canary. Its domain is closed to everybody on the gateway's own listeners, and its own
// listener takes nothing else, and nothing from whoever does not know this process's secret.
import { expect, onTestFinished, test } from 'vitest'
import { startCanaryListener } from '../../local/canary/listener.ts'
import type { IngressSettings } from '../../src/ingress/ingress-settings.ts'
import { CANARY_DOMAIN } from '../../src/mail/canary.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { createChain } from '../../src/plugins/chain.ts'
import { greeted } from '../ingress/dialogue.ts'
import { memoryBackends } from '../ingress/memory-backends.ts'
import { loggedIn, startModes } from '../ingress/modes.ts'
import { start } from '../ingress/start.ts'

const OURS = `clean.secret@${CANARY_DOMAIN}`

async function rcpt(port: number, recipient: string): Promise<string> {
  const client = await greeted(port)
  await client.say('MAIL FROM:<a@sender.example>')
  const reply = await client.say(`RCPT TO:<${recipient}>`)
  client.hangUp()
  return reply
}

test.each([
  ['a stranger', {}],
  ['a trusted client', { domains: [], networks: ['127.0.0.1'] }],
  ['a stranger, were the domain configured', { domains: [CANARY_DOMAIN], networks: [] }],
  ['a stranger, were the domain above it configured', { domains: ['*.elemta.invalid'], networks: ['127.0.0.1'] }],
])('%s may not send to it', async (_, relay) => {
  const { port } = await start('domains' in relay ? { relay } : {})
  expect(await rcpt(port, OURS)).toMatch(/^550 5\.7\.1 /)
  expect(await rcpt(port, OURS.toUpperCase())).toMatch(/^550 5\.7\.1 /)
})

test('nor may a user who has logged in', async () => {
  const { submissions } = await startModes()
  const client = await loggedIn(submissions)
  await client.say('MAIL FROM:<bob@example.com>')
  expect(await client.say(`RCPT TO:<${OURS}>`)).toMatch(/^550 5\.7\.1 /)
  expect(await client.say('RCPT TO:<anybody@elsewhere.example>')).toMatch(/^250 /)
  client.hangUp()
})

async function ownListener() {
  const metrics = createMetrics()
  const settings: IngressSettings = {
    hostname: 'mx.example.com',
    backends: memoryBackends({}).backends,
    chain: createChain([], { log: silentLog, metrics }),
    login: undefined,
    beforeQueue: undefined,
    relay: { domains: ['example.com'], networks: ['127.0.0.0/8'] },
    limits: { messageSize: 100_000, recipients: 10, connections: 10, connectionsPerClient: 10 },
    log: silentLog,
    metrics,
    now: Date.now,
  }
  const listener = await startCanaryListener(settings, [OURS])
  onTestFinished(() => listener.close())
  return { ...listener, metrics }
}

test('its own listener takes its addresses and nothing else', async () => {
  const { port } = await ownListener()
  expect(await rcpt(port, OURS)).toMatch(/^250 /)
  for (const other of [`clean.guess@${CANARY_DOMAIN}`, 'bob@example.com', 'bob@elsewhere.example', 'postmaster']) {
    expect(await rcpt(port, other), other).toMatch(/^550 5\.7\.1 /)
  }
})

test('what happens there is counted nowhere that is scraped', async () => {
  const { port, metrics } = await ownListener()
  await rcpt(port, OURS)
  await rcpt(port, 'bob@example.com')
  const text = await metrics.registry.metrics()
  expect(text).toMatch(/^elemta_connections_total 0$/m)
  expect(text).toMatch(/^elemta_messages_rejected_total\{stage="rcpt"\} 0$/m)
})
