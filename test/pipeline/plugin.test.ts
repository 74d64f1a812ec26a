// Plugins of the site's own in the real program: each hook refuses, tags arrive with the message, faults cost one
// message a 451, and nothing that was refused is kept.
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { dial, greeted } from '../ingress/dialogue.ts'
import { type Gateway, startGateway, temporaryDirectory, writeConfig } from './gateway.ts'
import { mail, readMail, send } from './mail.ts'
import { elemta } from './program.ts'

/** Does what the sender's local part asks for. */
const OBEDIENT = `
const no = (decision, code, text) => {
  const reply = { code, enhancedCode: code < 500 ? '4.7.1' : '5.7.1', text }
  return { decision, reply, why: 'it was asked for' }
}
export default ({ word }, { metrics }) => {
  if (word !== 'please') throw new Error('word: say please')
  const seen = metrics.counter('messages_total', 'Messages seen')
  return {
    connect: ({ client }) => (client.address === '127.0.0.66' ? no('reject', 550, 'Not you') : undefined),
    sender: ({ reversePath }) => (reversePath.startsWith('never@') ? no('reject', 550, 'Never') : undefined),
    recipient: (_, recipient) => (recipient.startsWith('later@') ? no('defer', 450, 'Later') : undefined),
    async message({ reversePath, recipients }, { size, head, chunks }) {
      seen.inc()
      if (reversePath.startsWith('throws@')) throw new Error('out of order')
      if (reversePath.startsWith('hangs@')) await new Promise(() => {})
      if (reversePath.startsWith('nonsense@')) return 'fine by me'
      if (reversePath.startsWith('bad@')) return no('reject', 554, 'Bad content')
      let octets = 0
      for await (const chunk of chunks()) octets += chunk.length
      const value = [size, octets, head.subarray(0, 4), recipients.length].join(' ')
      return { decision: 'tag', why: 'looked at', headers: [{ name: 'X-Seen', value }] }
    },
  }
}`

let plugins: string
let gateway: Gateway

beforeAll(async () => {
  plugins = await mkdtemp(join(tmpdir(), 'elemta-plugins-'))
  await writeFile(join(plugins, 'obedient.mjs'), OBEDIENT)
  gateway = await startGateway({
    config: {
      plugins: [
        { name: './examples/plugins/borrowed-names.ts', config: { names: ['Anna Chief'] } },
        { name: join(plugins, 'obedient.mjs'), timeout: '300ms', config: { word: 'please' } },
      ],
    },
  })
})

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]()
  await rm(plugins, { recursive: true, force: true })
})

/** Names of contents in files. */
async function spooled(): Promise<string[]> {
  return (await readdir(join(gateway.directory, 'data'), { recursive: true })).filter(name => /[0-9A-Z]{20}/.test(name))
}

const executions = (plugin: string, outcome: string) =>
  gateway.metric(`elemta_plugin_execution_total{plugin="${plugin}",outcome="${outcome}"}`)
const obedient = () => join(plugins, 'obedient.mjs')
const LARGE = `${'x'.repeat(70)}\r\n`.repeat(30_000)

test('at connect: 554 instead of a greeting', async () => {
  const client = dial(gateway.port, { from: '127.0.0.66' })
  expect(await client.reply()).toBe('554 5.7.1 Not you')
  expect(await client.closed()).toBe('')
  const line = await gateway.log(({ event, client }) => event === 'rejected' && client === '127.0.0.66')
  expect(line).toMatchObject({ stage: 'connect', plugin: obedient(), why: 'it was asked for' })
})

test('at MAIL, at RCPT and behind the dot, with the queue id in the reply and the plugin in the log', async () => {
  const client = await greeted(gateway.port)
  expect(await client.say('MAIL FROM:<never@sender.example>')).toMatch(/^550 5\.7\.1 Never \(\w{20}\)$/)
  expect(await client.say('MAIL FROM:<bad@sender.example>')).toMatch(/^250 /)
  expect(await client.say('RCPT TO:<later@example.com>')).toMatch(/^450 4\.7\.1 Later \(\w{20}\)$/)
  expect(await client.say('RCPT TO:<bob@example.com>')).toMatch(/^250 /)
  expect(await client.say('DATA')).toMatch(/^354 /)
  const refused = await client.say(`${mail()}\r\n.`)
  expect(refused).toMatch(/^554 5\.7\.1 Bad content \(\w{20}\)$/)
  expect(await client.say('QUIT')).toMatch(/^221 /)
  const queueId = /\((\w+)\)/.exec(refused)![1]!
  expect(await gateway.record(queueId)).toBeUndefined()
  const line = await gateway.log(({ event, queueId: id }) => event === 'rejected' && id === queueId)
  expect(line).toMatchObject({ stage: 'data', plugin: obedient(), why: 'it was asked for' })
})

describe.each([
  ['small', mail()],
  ['large', mail({ body: LARGE })],
])('a %s message', (_size, content) => {
  test.each([
    ['throws', 'error'],
    ['nonsense', 'error'],
    ['hangs', 'timeout'],
  ])('whose plugin %s: 451, and nothing is kept', async (who, outcome) => {
    const before = { count: await executions(obedient(), outcome), ...(await gateway.ledger()) }
    const { reply } = await send(gateway.port, { from: `${who}@sender.example`, content })
    expect(reply).toMatch(/^451 4\.3\.0 /)
    expect(await executions(obedient(), outcome)).toBe(before.count + 1)
    expect((await gateway.ledger()).accepted).toBe(before.accepted)
    await expect.poll(spooled).toEqual([])
  })

  test('is seen whole by the plugin, whose tag is delivered with it', async () => {
    const { queueId } = await send(gateway.port, { to: ['bob@example.com', 'carol@example.com'], content })
    await gateway.settled(queueId, 'delivered')
    const delivered = (await gateway.maildir()).map(readMail).filter(({ header }) => header.includes(queueId))
    const size = content.length + (content.endsWith('\r\n') ? 0 : 2)
    expect(delivered.map(({ field }) => field('X-Seen'))).toEqual(delivered.map(() => [`${size} ${size} From 2`]))
    expect(delivered.length).toBeGreaterThan(0)
  })
})

test('the example plugin finds a borrowed name', async () => {
  const content = mail().replace('From: Alice', 'From: "Anna CHIEF"')
  const { queueId } = await send(gateway.port, { content })
  await gateway.settled(queueId, 'delivered')
  const delivered = (await gateway.maildir()).map(readMail).filter(({ header }) => header.includes(queueId))
  expect(delivered.map(({ field }) => field('X-Borrowed-Name'))).toEqual([['Anna Chief']])
  expect(await gateway.metric('elemta_plugin_examples_plugins_borrowed_names_ts_found_total')).toBe(1)
})

test('after all of it the program is well, and everything is accounted for', async () => {
  expect(await gateway.ledger()).toMatchObject({ imbalance: 0 })
  expect((await gateway.readyz()).status).toBe(200)
  expect(await gateway.stop()).toBe(0)
})

test.each([
  ['is not there', './plugins/nowhere.ts', {}, /^elemta: plugin \.\/plugins\/nowhere\.ts: it cannot be loaded/],
  ['is not installed', 'elemta-plugin-nowhere', {}, /^elemta: plugin elemta-plugin-nowhere: .*npm install/],
  [
    'refuses its settings',
    undefined,
    { word: 'now' },
    /obedient\.mjs: it refuses its configuration: word: say please$/m,
  ],
])('a plugin that %s ends the start with exit code 78', async (_what, name = obedient(), config, problem) => {
  const directory = await temporaryDirectory()
  try {
    const file = await writeConfig(directory, { plugins: [{ name, config }] })
    const { code, stderr } = await elemta('serve', '--config', file)
    expect(stderr).toMatch(problem)
    expect(code).toBe(78)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})
