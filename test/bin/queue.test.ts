// The queue commands as an operator and his scripts use them: the real program, beside a running gateway and without.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type NextHop, startNextHop } from '../deliver/next-hop.ts'
import { type Gateway, startGateway } from '../pipeline/gateway.ts'
import { mail, send } from '../pipeline/mail.ts'
import { ENTRY } from '../pipeline/program.ts'

const FULL = { rcpt: '452 4.2.2 Mailbox full' }

let nextHop: NextHop
let gateway: Gateway
beforeEach(async () => {
  nextHop = await startNextHop(FULL)
  gateway = await startGateway({ config: config() })
})
afterEach(async () => {
  expect((await gateway.elemta('ledger')).code).toBe(0)
  await gateway[Symbol.asyncDispose]()
  await nextHop.close()
})

const config = () => ({
  relay: { domains: ['example.com', 'other.example'] },
  routes: [{ domains: ['*'], to: nextHop.url }],
  delivery: { retry_schedule: ['1h'], dsn: { enabled: false } },
})

/** Sends a message and waits until it is deferred. */
async function deferred(...to: string[]): Promise<string> {
  const { queueId } = await send(gateway.port, { to, content: mail() })
  await gateway.settled(queueId, 'deferred')
  return queueId
}

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await gateway.elemta(...args)
  return { code, out: stdout, err: stderr }
}

const json = (out: string) =>
  out
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
const statesOf = async (queueId: string) => (await gateway.record(queueId))!.recipients.map(({ state }) => state)

test('what is urgent is told, and can be changed', async () => {
  const id = await deferred('bob@example.com')
  expect((await run('queue', 'show', id)).out).toContain('priority high')
  const changed = await run('queue', 'priority', 'low', '--domain', 'example.com')
  expect(changed).toMatchObject({ code: 0, out: 'given this priority: 1 message, 1 recipient\n', err: '' })
  expect((await run('queue', 'show', id)).out).toMatch(/then .*priority low: bob@example.com/)
  expect(await run('queue', 'priority', 'urgent', id)).toMatchObject({ code: 64 })
})

test('a bad afternoon: look, hold, mend, release, and nothing is lost', async () => {
  const first = await deferred('bob@example.com', 'eve@other.example')
  const second = await deferred('bob@example.com')
  const listed = await run('queue', 'list', '--domain', 'example.com', '--json')
  expect(json(listed.out)).toMatchObject([
    { queueId: first, recipient: 'bob@example.com', state: 'deferred', sender: 'alice@sender.example', attempt: 2 },
    { queueId: second, why: expect.stringContaining('452 4.2.2'), nextHop: expect.stringContaining('127.0.0.1') },
  ])
  const table = await run('queue', 'list', '--reason', 'mailbox full')
  expect(table.out.split('\n')).toHaveLength(4)
  expect(table.out).toContain(`${first}  deferred`)

  expect(await run('queue', 'hold', '--domain', 'example.com', '--dry-run')).toMatchObject({
    code: 0,
    out: `${first}  bob@example.com\n${second}  bob@example.com\nwould be held: 2 messages, 2 recipients\n`,
  })
  const held = await run('queue', 'hold', '--domain', 'example.com')
  expect(held).toMatchObject({ code: 0, out: 'held: 2 messages, 2 recipients\n', err: '' })
  const who = userInfo().username
  const audit = await gateway.log(line => line.event === 'audit' && line.queueId === second)
  expect(audit).toMatchObject({
    action: 'hold',
    who,
    recipients: ['bob@example.com'],
    filter: { domain: 'example.com' },
  })

  // The next hop is well again, and the gateway is started anew: what is held stays.
  nextHop.follow({})
  await gateway.stop()
  gateway = await startGateway({ config: config(), directory: gateway.directory })
  expect((await run('queue', 'flush')).out).toBe('due now: 1 message, 1 recipient\n')
  await gateway.settled(first, 'held', 'delivered')
  expect(await statesOf(second)).toEqual(['held'])
  expect((await run('queue', 'release', 'ALL', '--yes')).out).toBe('released: 2 messages, 2 recipients\n')
  for (const queueId of [first, second]) await gateway.settled(queueId, 'delivered')
  expect((await run('queue', 'show', first)).out).toMatch(new RegExp(`hold by ${who} \\(bob@example.com\\)`))
  expect(nextHop.messages).toHaveLength(3)
})

test('without a gateway the same commands work on the data directory, one at a time', async () => {
  const [first, second] = [await deferred('bob@example.com'), await deferred('eve@other.example')]
  await gateway.stop('SIGKILL')
  expect((await run('queue', 'hold', first)).out).toBe('held: 1 message, 1 recipient\n')
  const { out, err } = await run('queue', 'delete', '--recipient', 'eve@other.example')
  expect(out).toBe('deleted: 1 message, 1 recipient\n')
  expect(json(err)).toContainEqual(expect.objectContaining({ event: 'audit', action: 'delete', queueId: second }))
  expect((await run('mailq')).out).toContain(`${first}!`)
  nextHop.follow({})
  gateway = await startGateway({ config: config(), directory: gateway.directory })
  expect(await statesOf(first)).toEqual(['held'])
  expect(await statesOf(second)).toEqual(['deleted'])
  await run('queue', 'release', first)
  await gateway.settled(first, 'delivered')
})

test('two operators at once: each message has one fate', async () => {
  const ids = [await deferred('bob@example.com'), await deferred('eve@other.example')]
  const [hold, remove] = await Promise.all([run('queue', 'hold', ...ids), run('queue', 'delete', ...ids)])
  expect([0, 66]).toContain(hold.code)
  expect(remove.code).toBe(0)
  for (const queueId of ids) expect(await statesOf(queueId)).toEqual(['deleted'])
})

test('a message that is being delivered is left alone: 75', async () => {
  const begun = Promise.withResolvers<void>()
  const dot = () => {
    begun.resolve()
    return 'mute' as const
  }
  nextHop.follow({ dot })
  const { queueId } = await send(gateway.port, { to: 'bob@example.com', content: mail() })
  await begun.promise
  const { code, err } = await run('queue', 'delete', queueId)
  expect([code, err]).toEqual([75, `elemta: ${queueId} is being delivered, try again\n`])
  expect((await run('mailq')).out).toContain(`${queueId}*`)
  nextHop.follow(FULL)
  for (const socket of nextHop.open) socket.destroy()
  await gateway.settled(queueId, 'deferred')
})

test('a message is sent elsewhere than the routes say', async () => {
  const other = await startNextHop({})
  const queueId = await deferred('bob@example.com')
  const { code, out } = await run('queue', 'reroute', queueId, '--to', other.url)
  expect([code, out]).toEqual([0, 'rerouted: 1 message, 1 recipient\n'])
  await gateway.settled(queueId, 'delivered')
  expect([other.messages.length, nextHop.messages.length]).toEqual([1, 0])
  await other.close()
})

test('mailq and postqueue print what scripts parse', async () => {
  expect((await run('mailq')).out).toBe('Mail queue is empty\n')
  expect((await run('postqueue', '-j')).out).toBe('')
  const content = mail()
  const { queueId } = await send(gateway.port, { from: '', to: ['bob@example.com', 'eve@other.example'], content })
  const { message } = await gateway.settled(queueId, 'deferred')
  const [head, entry, reason, bob, eve, empty, summary, ...rest] = (await run('mailq')).out.split('\n')
  expect(head).toMatch(/^-Queue ID- +--Size-- ----Arrival Time--- -Sender\/Recipient-/)
  expect(entry?.split(/\s+/)).toMatchObject(
    [queueId, String(message.size), /^\w{3}$/, /^\w{3}$/, /^\d+$/, /:/, 'MAILER-DAEMON'].map(part =>
      typeof part === 'string' ? part : expect.stringMatching(part),
    ),
  )
  expect(reason).toMatch(/^ *\(.*127\.0\.0\.1.* said: 452 4\.2\.2 Mailbox full\)$/)
  expect([bob?.trim(), eve?.trim(), empty]).toEqual(['bob@example.com', 'eve@other.example', ''])
  expect([summary, rest]).toEqual([`-- ${Math.ceil(message.size / 1024)} Kbytes in 1 Request.`, ['']])
  expect((await run('postqueue', '-p')).out).toBe((await run('mailq')).out)

  const delay_reason = expect.stringContaining('452 4.2.2 Mailbox full')
  expect(json((await run('postqueue', '-j')).out)).toEqual([
    {
      queue_name: 'deferred',
      queue_id: queueId,
      arrival_time: Math.floor(message.acceptedAt / 1000),
      message_size: message.size,
      forced_expire: false,
      sender: '',
      recipients: [
        { address: 'bob@example.com', delay_reason },
        { address: 'eve@other.example', delay_reason },
      ],
    },
  ])
  await run('postsuper', '-h', queueId)
  expect((await run('mailq')).out).toContain(`${queueId}!`)
  expect(json((await run('postqueue', '-j')).out)).toMatchObject([{ queue_name: 'hold' }])
})

test('postqueue and postsuper steer as in Postfix', async () => {
  const ids = []
  for (const to of ['a@example.com', 'b@other.example', 'c@other.example']) ids.push(await deferred(to))
  const [first, second, third] = ids as [string, string, string]
  nextHop.follow({})
  expect((await run('postqueue', '-i', first)).code).toBe(0)
  await gateway.settled(first, 'delivered')
  await run('postsuper', '-h', second)
  expect((await run('postqueue', '-s', 'other.example')).out).toBe('due now: 1 message, 1 recipient\n')
  await gateway.settled(third, 'delivered')
  expect((await run('postsuper', '-d', 'ALL', 'deferred', '--yes')).out).toBe('deleted: 0 messages, 0 recipients\n')
  expect(await statesOf(second)).toEqual(['held'])
  expect((await run('postsuper', '-r', second)).out).toBe('released: 1 message, 1 recipient\n')
  await gateway.settled(second, 'delivered')
})

test('postsuper -d - takes ids from a pipe', async () => {
  const ids = [await deferred('a@example.com'), await deferred('b@example.com')]
  const child = spawn(process.execPath, [ENTRY, 'postsuper', '-d', '-', '--config', gateway.configFile])
  child.stdin.end(`${ids.join('\n')}\n`)
  const [out, [code]] = await Promise.all([text(child.stdout), once(child, 'close')])
  expect([code, out]).toEqual([0, 'deleted: 2 messages, 2 recipients\n'])
})

test('top --once counts by domain and age', async () => {
  await deferred('a@example.com', 'b@example.com', 'c@other.example')
  const rows = (await run('top', '--once')).out
    .trimEnd()
    .split('\n')
    .map(row => row.trim().split(/\s+/))
  expect(rows).toEqual([
    ['T', '5', '10', '20', '40', '80', '160', '320', '640', '1280', '1280+'],
    ['TOTAL', '3', '3', ...Array(9).fill('0')],
    ['example.com', '2', '2', ...Array(9).fill('0')],
    ['other.example', '1', '1', ...Array(9).fill('0')],
  ])
})

test('exit codes', async () => {
  const cases: readonly [what: string, code: number, args: readonly string[]][] = [
    ['an unknown id', 66, ['queue', 'hold', '1HF7YAT00XTY17Q0BJ6G']],
    ['an unknown id to show', 66, ['queue', 'show', 'nonsense']],
    ['an unknown dead letter', 66, ['dlq', 'replay', 'nonsense']],
    ['ALL without --yes', 64, ['queue', 'delete', 'ALL']],
    ['ALL without --yes', 64, ['postsuper', '-d', 'ALL']],
    ['nothing named', 64, ['queue', 'delete']],
    ['a next hop that is none', 64, ['queue', 'reroute', 'ALL', '--yes', '--to', 'example.com']],
    ['a time that is none', 64, ['queue', 'hold', '--older-than', 'yesterday']],
    ['two acts at once', 64, ['postqueue', '-f', '-p']],
    ['no dead letters', 0, ['dlq', 'list']],
  ]
  const results = await Promise.all(cases.map(([, , args]) => run(...args)))
  expect(results.map(({ code }, n) => [cases[n]![0], code])).toEqual(cases.map(([what, code]) => [what, code]))
  for (const { code, err } of results) {
    expect(err).not.toContain('    at ')
    if (code !== 0) expect(err).toMatch(/^elemta: /)
  }
})

test('the token opens the same over HTTP; when the port does not answer and the spool is taken: 69', async () => {
  const queueId = await deferred('bob@example.com')
  const data = join(gateway.directory, 'data')
  const [token, url] = ['operator-token', 'operator-address'].map(name => readFileSync(join(data, name), 'utf8').trim())
  const response = await fetch(`${url}/v1/queue/hold`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ ids: [queueId] }),
  })
  expect(await response.json()).toMatchObject({ messages: 1, changed: [{ queueId }] })
  writeFileSync(join(data, 'operator-token'), 'of another time')
  const { code, err } = await run('queue', 'list')
  expect([code, err]).toEqual([69, expect.stringContaining('another Elemta process works on this data directory')])
})
