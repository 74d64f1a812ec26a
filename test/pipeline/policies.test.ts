// All session policies on, in the real program, with a real resolver: each refuses what it is for, honest mail passes,
// and in mode: log everybody does.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { greeted } from '../ingress/dialogue.ts'
import { type Gateway, startGateway } from './gateway.ts'
import { mail, send } from './mail.ts'
import { startResolver } from './resolver.ts'

const LISTED = '127.0.0.66'
const BUSY = '127.0.0.77'

let resolver: Awaited<ReturnType<typeof startResolver>>
beforeAll(async () => {
  resolver = await startResolver(
    '66.0.0.127.list.test. A 127.0.0.2',
    '66.0.0.127.list.test. TXT "seen in a trap"',
    'mail.sender.test. A 127.0.0.1',
    'client.example. A 127.0.0.1', // as whom the tools of these tests greet
    'sender.test. MX 10 mail.sender.test.',
  )
})
afterAll(() => resolver?.[Symbol.asyncDispose]())

const policies = (mode: 'enforce' | 'log') => ({
  dns: resolver.dns,
  plugins: [
    { name: 'rate-limit', mode, config: { messages: '3/h' } },
    { name: 'helo', mode, config: { resolves: true } },
    { name: 'sender-domain', mode },
    { name: 'dnsbl', mode, config: { zones: [{ zone: 'list.test' }] } },
    { name: 'recipients', mode, config: { addresses: ['bob@example.com'] } },
  ],
})

type Said = Readonly<{ address?: string; helo?: string; from?: string; to?: string }>

/** The first reply that is no 2yz, or the last one, without the queue id. */
async function replyTo(
  { port }: Gateway,
  { address = '127.0.0.1', helo = 'mail.sender.test', from = 'ann@sender.test', to = 'bob@example.com' }: Said,
): Promise<string> {
  const client = await greeted(port, { from: address })
  try {
    let reply = ''
    for (const line of [`EHLO ${helo}`, `MAIL FROM:<${from}>`, `RCPT TO:<${to}>`]) {
      reply = await client.say(line)
      if (!reply.startsWith('2')) break
    }
    return reply.replace(/ \(\w{20}\)$/, '')
  } finally {
    client.hangUp()
  }
}

const strangers: [what: string, policy: string, said: Said, reply: RegExp][] = [
  [
    'a listed client',
    'dnsbl',
    { address: LISTED },
    /^554 5\.7\.1 Client host \[127\.0\.0\.66\] is listed by list\.test$/,
  ],
  [
    'an unknown recipient',
    'recipients',
    { to: 'nobody@example.com' },
    /^550 5\.1\.1 <nobody@example\.com>: no such user here$/,
  ],
  [
    'a sender domain that does not exist',
    'sender-domain',
    { from: 'ann@nowhere.test' },
    /^550 5\.1\.8 .*nowhere\.test/,
  ],
  [
    'a client with the name of nobody',
    'helo',
    { helo: 'client.nowhere.test' },
    /^550 5\.7\.1 HELO <client\.nowhere\.test> refused/,
  ],
]

const executions = (gateway: Gateway, policy: string, outcome: string) =>
  gateway.metric(`elemta_plugin_execution_total{plugin="${policy}",outcome="${outcome}"}`)

describe('mode: enforce', () => {
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await startGateway({ config: policies('enforce') })
  })
  afterAll(() => gateway?.[Symbol.asyncDispose]())

  test.each(strangers)('%s is refused by %s', async (_what, policy, said, reply) => {
    expect(await replyTo(gateway, { address: '127.0.0.2', ...said })).toMatch(reply)
    expect(await executions(gateway, policy, 'reject')).toBe(1)
    const line = await gateway.log(({ event, plugin }) => event === 'rejected' && plugin === policy)
    expect(line).toMatchObject({ queueId: expect.stringMatching(/^\w{20}$/), reply: expect.stringMatching(reply) })
  })

  test('honest mail passes all of them', async () => {
    const { queueId } = await send(gateway.port, { from: 'ann@sender.test', content: mail() })
    await gateway.settled(queueId, 'delivered')
    expect(await gateway.maildir()).toHaveLength(1)
  })

  test('a client beyond its rate is told to come back', async () => {
    for (let n = 0; n < 3; n++) expect(await replyTo(gateway, { address: BUSY })).toMatch(/^250 /)
    expect(await replyTo(gateway, { address: BUSY })).toMatch(
      /^451 4\.7\.1 Too many messages: at most 3 messages in 1h/,
    )
    expect(await gateway.metric('elemta_rate_limited_total{rate="messages"}')).toBe(1)
    expect(await executions(gateway, 'rate-limit', 'defer')).toBe(1)
  })
})

test('mode: log refuses nobody, and tells in the log who would have been', async () => {
  await using gateway = await startGateway({ config: policies('log') })
  for (const [what, policy, said, reply] of strangers) {
    expect(await replyTo(gateway, { address: BUSY, ...said }), what).toMatch(/^250 2\.1\.5 /)
    const line = await gateway.log(({ event, plugin }) => event === 'would-refuse' && plugin === policy)
    expect(line).toMatchObject({ reply: expect.stringMatching(reply), client: expect.stringMatching(/^127\./) })
    expect(await executions(gateway, policy, 'log')).toBe(1)
  }
  expect(await replyTo(gateway, { address: BUSY })).toMatch(/^250 /)
  await gateway.log(({ event, plugin, reply }) => {
    return event === 'would-refuse' && plugin === 'rate-limit' && /^451 4\.7\.1 Too many/.test(String(reply))
  })
  expect(gateway.logged('rejected')).toEqual([])
})
