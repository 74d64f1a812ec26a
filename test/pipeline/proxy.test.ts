// A load balancer in front: by its PROXY header the client is known to the log, to Received and to policies. Who is no
// load balancer can claim nothing.
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { dial } from '../ingress/dialogue.ts'
import { swaks } from './client-program.ts'
import { type Gateway, startGateway, temporaryDirectory } from './gateway.ts'
import { mail, readMail, sendOn } from './mail.ts'

/** The load balancer; everything else on this machine is none. */
const BALANCER = '127.0.0.1'
const ELSEWHERE = '127.0.0.2'

let gateway: Gateway
let [mx, submissions] = [0, 0]

beforeAll(async () => {
  const directory = await temporaryDirectory()
  await writeFile(join(directory, 'users'), '', { mode: 0o600 })
  gateway = await startGateway({
    directory,
    config: {
      listeners: ['mx', 'submissions'].map(mode => ({ address: '127.0.0.1', port: 0, mode })),
      auth: { users_file: join(directory, 'users') },
      ingress: { proxy_protocol: [`${BALANCER}/32`] },
      relay: { domains: ['example.com'], networks: ['198.51.100.0/24'] },
      plugins: [{ name: 'helo', config: { full_name: true } }],
    },
  })
  ;[mx = 0, submissions = 0] = gateway.ports
})

afterAll(() => gateway?.[Symbol.asyncDispose]())

const named = (version: string, family: string, source: string) => [
  ...['--proxy-version', version, '--proxy-family', family, '--proxy-protocol', 'STREAM', '--proxy-command', 'PROXY'],
  ...['--proxy-source', source, '--proxy-source-port', '4321'],
  ...['--proxy-dest', family.endsWith('6') ? '2001:db8::25' : '192.0.2.25', '--proxy-dest-port', '25'],
]
test.each([
  ['1', 'TCP4', '203.0.113.9', '[203.0.113.9]'],
  ['1', 'TCP6', '2001:db8::9', '[IPv6:2001:db8::9]'],
  ['2', 'AF_INET', '203.0.113.10', '[203.0.113.10]'],
  ['2', 'AF_INET6', '2001:db8::10', '[IPv6:2001:db8::10]'],
])('version %s, %s: the log, the record and Received name %s', async (version, family, source, literal) => {
  const envelope = ['--from', 'carol@sender.example', '--to', 'bob@example.com', '--helo', 'mx.sender.example']
  const { said } = await swaks('--server', `127.0.0.1:${mx}`, ...envelope, ...named(version, family, source))
  const queueId = /queued as (\w{20})/.exec(said)?.[1] ?? said
  const { message } = await gateway.settled(queueId, 'delivered')
  expect(message.client).toMatchObject({ address: source, port: 4321 })
  const delivered = (await gateway.maildir()).map(readMail).find(({ header }) => header.includes(queueId))
  expect(delivered?.field('Received')[0]).toContain(`from mx.sender.example (${literal})`)
  await gateway.log(line => line.event === 'accepted' && line.queueId === queueId && line.client === source)
  await gateway.log(({ event, client }) => event === 'session-ended' && client === source)
})

test('policies decide for the client that is named', async () => {
  const say = async (client: string) => {
    const session = dial(mx)
    session.send(`PROXY TCP4 ${client} 192.0.2.25 4321 25\r\n`)
    expect(await session.reply()).toMatch(/^220 /)
    await session.say('EHLO mx.example.com') // our own name: policy helo refuses strangers for it
    const { reply } = await sendOn(session, { to: 'bob@elsewhere.example', content: mail() })
    session.hangUp()
    return reply
  }
  expect(await say('203.0.113.9')).toMatch(/^550 5\.7\.1 HELO/)
  expect(await say('198.51.100.9')).toMatch(/^250 2\.0\.0 /) // of relay.networks
  const refused = await gateway.log(({ event, client }) => event === 'rejected' && client === '203.0.113.9')
  expect(refused).toMatchObject({ plugin: 'helo', stage: 'mail' })
})

test('TLS from the start begins behind the header', async () => {
  const plain = dial(submissions)
  plain.send('PROXY TCP4 203.0.113.77 192.0.2.25 4321 465\r\n')
  plain.socket.removeAllListeners('data').setEncoding()
  const socket = connect({ socket: plain.socket, rejectUnauthorized: false })
  expect(String((await once(socket, 'data'))[0])).toMatch(/^220 mx\.example\.com /)
  socket.write('QUIT\r\n')
  const ended = await gateway.log(({ event, client }) => event === 'session-ended' && client === '203.0.113.77')
  expect(ended).toMatchObject({ mode: 'submissions', tls: expect.stringMatching(/^TLSv1\.3 /) })
})

test('a load balancer that sends no header is closed without a word', async () => {
  for (const octets of ['EHLO mx.sender.example\r\n', 'PROXY TCP4 nobody nowhere 1 2\r\n']) {
    const before = await gateway.metric('elemta_connection_errors_total{reason="proxy"}')
    const client = dial(mx, { from: BALANCER })
    client.send(octets)
    expect(await client.closed()).toBe('')
    expect(await gateway.metric('elemta_connection_errors_total{reason="proxy"}')).toBe(before + 1)
  }
  await gateway.log(({ event, client }) => event === 'proxy-refused' && client === BALANCER)
})

test('from elsewhere a header is a command that nobody knows, and claims nothing', async () => {
  const client = dial(mx, { from: ELSEWHERE })
  expect(await client.reply()).toMatch(/^220 /)
  expect(await client.say('PROXY TCP4 198.51.100.9 192.0.2.25 4321 25')).toMatch(/^500 5\.5\.2 /)
  await client.say('EHLO mx.sender.example')
  expect((await sendOn(client, { to: 'bob@elsewhere.example', content: mail() })).reply).toMatch(/^550 5\.7\.1 /)
  client.hangUp()
  await gateway.log(({ event, client }) => event === 'rejected' && client === ELSEWHERE)
})
