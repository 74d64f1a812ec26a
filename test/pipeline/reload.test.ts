// SIGHUP: what can change changes for new connections, open sessions go on as they began, the log says what happened,
// and a file that makes no sense changes nothing.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest'
import { startNextHop } from '../deliver/next-hop.ts'
import { filesFor } from '../ingress/certificate.ts'
import { greeted } from '../ingress/dialogue.ts'
import { type Gateway, type GatewayOptions, startGateway, temporaryDirectory, writeConfig } from './gateway.ts'
import { EICAR, mail, mailWithAttachment, send } from './mail.ts'
import { startProgram } from './program.ts'
import { withScanners } from './scanners.ts'

/** Counts what it refuses, and says when it is closed. */
const REFUSING = `
let closed = 0
export default ({ text }, { log, metrics }) => {
  if (text === undefined) throw new Error('text: is missing')
  const refused = metrics.counter('refused_total', 'Refused')
  let open = true
  return {
    sender({ reversePath }) {
      if (!open) throw new Error('asked after its end')
      log.debug('asked')
      if (!reversePath.startsWith('refused@')) return undefined
      refused.inc()
      return { decision: 'reject', reply: { code: 550, enhancedCode: '5.7.1', text }, why: text }
    },
    close() {
      open = false
      log.warn({ text, closed: ++closed }, 'closed')
    },
  }
}`

let directory: string
let plugin: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'elemta-reload-'))
  plugin = join(directory, 'refusing.mjs')
  await writeFile(plugin, REFUSING)
})
afterAll(() => rm(directory, { recursive: true, force: true }))

type Settings = NonNullable<GatewayOptions['config']>

const outcomes = (gateway: Gateway) =>
  Promise.all(
    ['success', 'failure'].map(outcome => gateway.metric(`elemta_config_reloads_total{outcome="${outcome}"}`)),
  )

/** Resolves when the gateway is through with it. */
async function reload(gateway: Gateway, config: Settings | string): Promise<void> {
  const sum = async () => (await outcomes(gateway)).reduce((all, some) => all + some)
  const before = await sum()
  if (typeof config === 'string') await writeFile(gateway.configFile, config)
  else await writeConfig(gateway.directory, config)
  process.kill(gateway.pid, 'SIGHUP')
  await expect.poll(sum).toBe(before + 1)
}

/** `key: from -> to` of all lines so far. */
const told = (gateway: Gateway, event: string) =>
  gateway
    .logged(event)
    .filter(({ key }) => key !== undefined)
    .map(({ key, from, to }) => `${key}: ${JSON.stringify(from)} -> ${JSON.stringify(to)}`)

async function repliesTo(gateway: Gateway, ...lines: string[]): Promise<string[]> {
  const client = await greeted(gateway.port)
  const replies: string[] = []
  for (const line of lines) replies.push(await client.say(line))
  client.hangUp()
  return replies.map(reply => reply.replace(/ \(\w{20}\)$/, ''))
}

const MAIL = 'MAIL FROM:<alice@sender.example>'

test('domains, limits, routes and the log level change for new connections; open sessions go on', async () => {
  await using gateway = await startGateway()
  const nextHop = await startNextHop()
  const open = await greeted(gateway.port)
  expect(await open.say(MAIL)).toMatch(/^250 /)

  await reload(gateway, {
    relay: { domains: ['example.org'], networks: [] },
    routes: [{ domains: ['*'], to: nextHop.url }],
    limits: { recipients: 1, message_size: '1MB' },
    log: { level: 'debug' },
  })
  expect(await open.say('RCPT TO:<bob@example.com>')).toMatch(/^250 /)
  expect(await open.say('RCPT TO:<bob@example.org>')).toMatch(/^550 5\.7\.1 /)
  expect(await open.say('RCPT TO:<carol@example.com>')).toMatch(/^250 /)
  open.hangUp()
  expect(
    await repliesTo(
      gateway,
      `${MAIL} SIZE=2000000`,
      MAIL,
      'RCPT TO:<bob@example.com>',
      'RCPT TO:<a@example.org>',
      'RCPT TO:<b@example.org>',
    ),
  ).toEqual([
    expect.stringMatching(/^552 5\.3\.4 /),
    expect.stringMatching(/^250 /),
    expect.stringMatching(/^550 5\.7\.1 /),
    expect.stringMatching(/^250 /),
    expect.stringMatching(/^452 4\.5\.3 /),
  ])
  const { queueId } = await send(gateway.port, { to: 'bob@example.org', content: mail() })
  await gateway.settled(queueId, 'delivered')
  expect(nextHop.messages).toHaveLength(1)
  await gateway.log(({ event }) => event === 'connected') // of level debug
  expect(told(gateway, 'reloaded').sort()).toEqual([
    'limits.message_size: "25MB" -> "1MB"',
    'limits.recipients: 100 -> 1',
    'log.level: "info" -> "debug"',
    'relay.domains: ["example.com"] -> ["example.org"]',
    `routes[0].to: "maildir:${gateway.maildirPath}" -> "${nextHop.url}"`,
  ])
  expect(told(gateway, 'needs-restart')).toEqual([])
  await nextHop.close()
})

test('plugins come, change and go; one that is replaced is closed when the last session that asks it has ended', async () => {
  const withText = (text: string) => ({ plugins: [{ name: plugin, config: { text } }], log: { level: 'debug' } })
  await using gateway = await startGateway()
  const refused = 'MAIL FROM:<refused@sender.example>'
  expect(await repliesTo(gateway, refused)).toEqual(['250 2.1.0 Ok'])

  await reload(gateway, withText('One'))
  expect(await repliesTo(gateway, refused)).toEqual(['550 5.7.1 One'])
  await gateway.log(({ event, plugin: name }) => event === 'asked' && name === plugin) // its own log has the level, too
  const first = await greeted(gateway.port)
  await reload(gateway, withText('Two'))
  expect(await repliesTo(gateway, refused)).toEqual(['550 5.7.1 Two'])
  const second = await greeted(gateway.port)
  await reload(gateway, {})
  expect(await repliesTo(gateway, refused)).toEqual(['250 2.1.0 Ok'])

  // Both still ask the plugin that they began with.
  expect(await first.say(refused)).toMatch(/^550 5\.7\.1 One/)
  expect(await second.say(refused)).toMatch(/^550 5\.7\.1 Two/)
  expect(gateway.logged('closed')).toEqual([])
  expect(await second.say('QUIT')).toMatch(/^221 /)
  first.hangUp()
  await gateway.log(({ event, closed }) => event === 'closed' && closed === 2)
  expect(
    gateway
      .logged('closed')
      .map(({ text }) => text)
      .sort(),
  ).toEqual(['One', 'Two'])
  const series = `elemta_plugin_${plugin.replaceAll(/[^a-z0-9]+/gi, '_').slice(1)}_refused_total`
  expect(await gateway.metric(series)).toBe(4)

  const name = (change: string) => `plugins[${plugin}]${change}`
  expect(told(gateway, 'reloaded').filter(line => line.startsWith('plugins'))).toEqual([
    expect.stringContaining(name(': undefined -> {')),
    name('.config.text: "One" -> "Two"'),
    expect.stringMatching(/: \{.* -> undefined$/),
  ])
  expect(await gateway.stop()).toBe(0)
})

test('what needs a restart is named each time, and is not half done', async () => {
  const config = withScanners(inject('clamav'))
  await using gateway = await startGateway({ config })
  const changed = {
    ...config,
    hostname: 'other.example.com',
    delivery: { concurrency: 3 },
    plugins: [{ name: 'clamav', enabled: false }],
    data_dir: join(gateway.directory, 'elsewhere'),
  }
  await reload(gateway, changed)
  const client = await greeted(gateway.port)
  expect(await client.say('EHLO client.example')).toMatch(/^250-mx\.example\.com/)
  client.hangUp()
  const { queueId } = await send(gateway.port, { content: mailWithAttachment('a.com', Buffer.from(EICAR)) })
  await gateway.settled(queueId, 'quarantined')
  await reload(gateway, { ...changed, limits: { recipients: 5 } })
  await expect.poll(() => told(gateway, 'reloaded')).toEqual(['limits.recipients: 100 -> 5'])
  const waiting = [
    'hostname: "mx.example.com" -> "other.example.com"',
    `data_dir: ${JSON.stringify(join(gateway.directory, 'data'))} -> ${JSON.stringify(changed.data_dir)}`,
    'delivery.concurrency: 20 -> 3',
    expect.stringMatching(/^plugins\[clamav\]\.enabled: true -> false$/),
  ]
  expect(told(gateway, 'needs-restart')).toEqual(expect.arrayContaining(waiting))
  expect(told(gateway, 'needs-restart').filter(line => line.startsWith('hostname'))).toHaveLength(2)
})

test('a file that makes no sense changes nothing, and the log says why', async () => {
  const config = { plugins: [{ name: plugin, config: { text: 'One' } }] }
  await using gateway = await startGateway({ config })
  const certificate = 'elemta_tls_certificate_expiry_seconds{certificate="mx.example.com"}'
  const expires = await gateway.metric(certificate)
  const { cert, key } = await filesFor(['other.example.com'])
  expect(expires).toBeGreaterThan(0)
  const relay = { domains: ['example.org'], networks: [] }
  const wrong: [config: Settings | string, why: RegExp][] = [
    ['hostname: [', /elemta\.yaml:1/],
    ['', /elemta\.yaml.*is empty/],
    [{ relay, limits: { recipient: 1 } }, /unknown key.*recipients/],
    [{ relay, plugins: [{ name: join(directory, 'missing.mjs') }] }, /missing\.mjs: it cannot be loaded/],
    [
      { relay, plugins: [{ name: plugin, config: {} }], tls: { certificates: [{ cert, key }] } },
      /refusing\.mjs: it refuses its configuration: text: is missing/,
    ],
    [
      { relay, log: { level: 'silent' }, tls: { certificates: [{ cert: '/nowhere/c.pem', key: '/nowhere/k.pem' }] } },
      /\/nowhere\//,
    ],
  ]
  for (const [changed, why] of wrong) {
    await reload(gateway, changed)
    await gateway.log(line => line.event === 'reload-failed' && why.test(String(line.why)))
  }
  expect(await outcomes(gateway)).toEqual([0, wrong.length])
  expect(gateway.logged('reloaded')).toEqual([])
  expect(await repliesTo(gateway, 'MAIL FROM:<refused@sender.example>')).toEqual(['550 5.7.1 One'])
  expect(await repliesTo(gateway, MAIL, 'RCPT TO:<bob@example.com>')).toEqual(['250 2.1.0 Ok', '250 2.1.5 Ok'])
  expect(await gateway.metric(certificate)).toBe(expires)

  await reload(gateway, config)
  await gateway.log(({ event, changes }) => event === 'reloaded' && changes === 0)
  expect(await gateway.stop()).toBe(0)
})

test('many at once end with the file as it is last, and close what they replaced', async () => {
  const text = (n: number) => ({ plugins: [{ name: plugin, config: { text: `Number ${n}` } }] })
  await using gateway = await startGateway({ config: text(0) })
  for (let n = 1; n <= 10; n++) {
    await writeConfig(gateway.directory, text(n))
    process.kill(gateway.pid, 'SIGHUP')
  }
  await gateway.log(({ event, to }) => event === 'reloaded' && to === 'Number 10')
  expect(await repliesTo(gateway, 'MAIL FROM:<refused@sender.example>')).toEqual(['550 5.7.1 Number 10'])
  expect(await gateway.stop()).toBe(0)
  // Each reload replaced one, and the end closed the last.
  expect(gateway.logged('closed')).toHaveLength(gateway.logged('reloaded').length + 1)
})

test('one that comes while the program starts does not end it', async () => {
  const home = await temporaryDirectory()
  onTestFinished(() => rm(home, { recursive: true, force: true }))
  const program = startProgram(['serve', '--config', await writeConfig(home)])
  await program.log(({ event }) => event === 'certificate-self-signed')
  program.process.kill('SIGHUP')
  await program.log(({ event }) => event === 'ready')
  await program.log(({ event }) => event === 'reloaded')
  program.process.kill('SIGTERM')
  expect(await program.ended).toBe(0)
})

test('no secret is told', async () => {
  const of = (secret: string) => ({
    plugins: [
      { name: 'recipients', config: { http: `http://me:${secret}@127.0.0.1:1/` } },
      { name: plugin, config: { text: 'x', api_key: secret } },
    ],
  })
  await using gateway = await startGateway({ config: of('first-secret') })
  await reload(gateway, of('other-secret'))
  await reload(gateway, {})
  await gateway.log(({ event, key }) => event === 'reloaded' && key === `plugins[${plugin}]`)
  expect(told(gateway, 'reloaded').slice(0, 2)).toEqual([
    'plugins[recipients].config.http: "(secret)" -> "(another secret)"',
    `plugins[${plugin}].config.api_key: "(secret)" -> "(another secret)"`,
  ])
  expect(JSON.stringify(gateway.logged('reloaded'))).not.toMatch(/first-secret|other-secret/)
})
