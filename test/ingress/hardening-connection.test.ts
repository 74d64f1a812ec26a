// Connections that mean harm: replies that nobody reads, bombs, silence and garbage where a handshake or a PROXY header
// should be. Each costs bounded memory and is cut; nobody else notices.
import { once } from 'node:events'
import { type AddressInfo, createConnection, createServer } from 'node:net'
import { connect as shakeHands } from 'node:tls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Dialogue, dial, greeted } from './dialogue.ts'
import { dialSecurely, loggedIn, startModes } from './modes.ts'
import { start } from './start.ts'

type Settings = NonNullable<Parameters<typeof start>[0]>

async function inTheOpen(settings: Settings) {
  const gateway = await start(settings)
  return { ...gateway, connect: () => greeted(gateway.port) }
}

async function overTls(settings: Settings) {
  const gateway = await startModes(settings)
  return { ...gateway, connect: () => loggedIn(gateway.submissions) }
}

const ended = (client: Dialogue) => new Promise<void>(resolve => client.socket.once('close', () => resolve()))

describe.each([
  ['in the open', inTheOpen],
  ['over TLS', overTls],
] as const)('%s', (_, open) => {
  test('a client that never reads its replies fills no memory, and is cut', async () => {
    const limits = { errors: 1e9, softErrors: 1e9, timeouts: { command: 300, linger: 50 } }
    const { connect, metric } = await open({ limits })
    const client = await connect()
    const { socket } = client
    const before = process.memoryUsage().rss
    socket.pause()
    const ask = () => {
      while (!socket.destroyed && socket.write('EHLO c\r\n'.repeat(8192)));
    }
    socket.on('drain', ask)
    ask()
    await ended(client)
    expect(await metric('elemta_connection_errors_total{reason="timeout"}')).toBe(1)
    expect(process.memoryUsage().rss - before).toBeLessThan(200_000_000)
  })

  test.each([
    ['dots', '..\r\n', 3],
    ['bare LFs', '\n', 2],
  ])('a bomb of %s is read with the pace of the store', async (_name, unit, stored) => {
    const waiting: (() => void)[] = []
    let written = 0
    const obstacles = {
      write(chunk: Buffer) {
        written += chunk.length
        return new Promise<void>(resolve => waiting.push(resolve))
      },
    }
    const { connect, accepted } = await open({ limits: { messageSize: 50_000_000 }, obstacles })
    const client = await connect()
    await client.say('MAIL FROM:<a@b.test>')
    await client.say('RCPT TO:<bob@example.com>')
    await client.say('DATA')
    client.send(Buffer.from(unit.repeat(1_000_000)))
    client.send('\r\n.\r\n')
    let most = 0
    let before = 0
    let done = false
    const reply = client.reply().finally(() => {
      done = true
    })
    while (!done) {
      // Time enough for more to come in, if more were read.
      for (let n = 0; n < 20; n++) await new Promise(resolve => setImmediate(resolve))
      if (waiting.length === 0) continue
      most = Math.max(most, written - before)
      before = written
      for (const resume of waiting.splice(0)) resume()
    }
    expect(await reply).toMatch(/^250 /)
    expect(most).toBeLessThanOrEqual(256 * 1024)
    expect(accepted()[0]?.message.size).toBe(1_000_000 * stored + 2)
  })
})

describe('before TLS', () => {
  test.each([
    ['SMTP', 'EHLO c\r\nMAIL FROM:<a@b.test>\r\n'],
    ['HTTP', 'GET / HTTP/1.1\r\nHost: mx.example.com\r\n\r\n'],
    ['zeros', '\0'.repeat(100_000)],
    ['noise', Buffer.from(Array.from({ length: 5000 }, (_, n) => (n * 7919) % 251)).toString('latin1')],
    ['a record of the greatest length', `\x16\x03\x01\xff\xff${'x'.repeat(200_000)}`],
    ['nothing but a close', ''],
    ['half a ClientHello, and a close', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['an alert', '\x15\x03\x03\x00\x02\x02\x28'],
  ])('%s instead of a handshake is cut, without an SMTP reply', async (_, octets) => {
    const { submission, submissions, metric, isEmpty } = await startModes()
    const bystander = await loggedIn(submissions)
    const implicit = dial(submissions)
    const upgrading = await greeted(submission)
    await upgrading.say('STARTTLS')
    for (const client of [implicit, upgrading]) {
      client.socket.end(octets, 'latin1')
      expect(await client.closed()).not.toMatch(/^[2-5]\d\d[ -]/m)
    }
    await expect.poll(() => metric('elemta_tls_handshake_failures_total')).toBe(2)
    await expect.poll(() => metric('elemta_connections_active')).toBe(1)
    expect(await bystander.say('NOOP')).toBe('250 2.0.0 Ok')
    expect(isEmpty()).toBe(true)
  })

  test('a client that goes in the middle of a handshake hurts nobody', async () => {
    const { submissions, metric } = await startModes()
    const bystander = await loggedIn(submissions)
    for (let n = 0; n < 20; n++) {
      const client = dial(submissions)
      const handshake = shakeHands({ socket: client.socket, rejectUnauthorized: false })
      handshake.on('error', () => {})
      client.socket.once('connect', () => void setImmediate(() => client.socket.resetAndDestroy()))
      await ended(client)
    }
    await expect.poll(() => metric('elemta_connections_active')).toBe(1)
    expect(await bystander.say('NOOP')).toBe('250 2.0.0 Ok')
  })

  test('a client that closes behind STARTTLS is gone, also when an answer was awaited meanwhile', async () => {
    let answer = () => {}
    let asked = () => {}
    const reached = new Promise<void>(resolve => (asked = resolve))
    const sender = () => {
      asked()
      return new Promise<undefined>(resolve => {
        answer = () => resolve(undefined)
      })
    }
    const { mx, metric } = await startModes({ plugin: { sender }, pluginTimeout: 10_000 })
    const client = dial(mx)
    client.socket.end('EHLO c\r\nMAIL FROM:<a@b.test>\r\nSTARTTLS\r\n')
    await reached
    for (let n = 0; n < 20; n++) await new Promise(resolve => setImmediate(resolve))
    answer()
    expect(await client.closed()).toMatch(/220 2\.0\.0 Ready to start TLS\r\n$/)
    await expect.poll(() => metric('elemta_connections_active')).toBe(0)
  })

  test.each([
    ['says nothing', ''],
    ['drips half a handshake', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ])('a client that %s is cut when its time is up', async (_, octets) => {
    const { submission, submissions, metric } = await startModes({ limits: { timeouts: { handshake: 100 } } })
    const implicit = dial(submissions)
    const upgrading = await greeted(submission)
    await upgrading.say('STARTTLS')
    const drip = setInterval(() => {
      for (const client of [implicit, upgrading]) client.send(octets)
    }, 20)
    for (const client of [implicit, upgrading]) expect(await client.closed()).not.toMatch(/^[2-5]\d\d[ -]/m)
    clearInterval(drip)
    await expect.poll(() => metric('elemta_connections_active')).toBe(0)
    expect(await metric('elemta_connection_errors_total{reason="timeout"}')).toBeGreaterThan(0)
  })

  test('who talks before the greeting is refused, in the handshake or behind it', async () => {
    const { submissions } = await startModes({ pregreetDelay: 10_000 })
    const client = await dialSecurely(submissions)
    client.send('EHLO c\r\n')
    expect(await client.reply()).toMatch(/^554 5\.5\.1 /)
    expect(await client.closed()).toBe('')
  })
})

describe('behind a handshake', () => {
  test('a client that negotiates again and again is cut', async () => {
    const { submissions, logged } = await startModes()
    const client = dial(submissions)
    const socket = shakeHands({ socket: client.socket, rejectUnauthorized: false, maxVersion: 'TLSv1.2' })
    socket.on('error', () => {}).resume()
    const again = (error?: Error | null) => void (error ?? socket.renegotiate({}, again))
    socket.once('secureConnect', () => again())
    await ended(client)
    await expect.poll(() => logged('session-ended')).toMatchObject([{ ended: 'reset' }])
  })

  test('octets that are no TLS cut the connection, and nothing of them is done', async () => {
    const { submissions, logged, isEmpty } = await startModes()
    const bystander = await loggedIn(submissions)
    const { client, between } = await throughRelay(submissions)
    await client.reply()
    await client.say('EHLO c')
    between.write('MAIL FROM:<a@b.test>\r\n')
    await client.closed()
    await expect.poll(() => logged('session-ended')).toMatchObject([{ ended: 'reset', commands: { ehlo: 1 } }])
    expect(await bystander.say('NOOP')).toBe('250 2.0.0 Ok')
    expect(isEmpty()).toBe(true)
  })
})

/** A client over TLS, and the plain socket of somebody on its way who may say something of their own to the server. */
async function throughRelay(port: number) {
  const between = createConnection({ host: '127.0.0.1', port })
  const relay = createServer(socket => {
    socket.on('error', () => {}).pipe(between)
    between.on('error', () => {}).pipe(socket)
  })
  relay.listen(0, '127.0.0.1')
  await once(relay, 'listening')
  onTestFinished(() => void relay.close())
  const client = await dialSecurely((relay.address() as AddressInfo).port)
  return { client, between }
}

describe('a load balancer', () => {
  const settings = { proxyProtocol: ['127.0.0.1/32'], limits: { timeouts: { handshake: 100 } } }

  test.each([
    ['never sends a header', ''],
    ['drips a header that has no end', 'P'],
    ['stops in the middle of a header', 'PROXY TCP4 192.0.2.1'],
  ])('that %s is cut without a word; its other connections go on', async (_, octets) => {
    const { port, metric, logged } = await start(settings)
    const other = dial(port)
    other.send('PROXY TCP4 192.0.2.7 127.0.0.1 56324 25\r\n')
    expect(await other.reply()).toMatch(/^220 /)
    const client = dial(port)
    client.send(octets)
    expect(await client.closed()).toBe('')
    expect(await metric('elemta_connection_errors_total{reason="proxy"}')).toBe(1)
    expect(logged('proxy-refused')).toHaveLength(1)
    expect(await other.say('NOOP')).toBe('250 2.0.0 Ok')
  })

  test.each([
    ['SMTP', 'EHLO c\r\n'],
    ['a TLS handshake', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['a header of the wrong version', '\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c'],
    ['a line over 107 octets', `PROXY ${'x'.repeat(102)}`],
    ['addresses without end', '\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff'],
  ])('that sends %s instead is cut at once', async (_, octets) => {
    const { port, metric } = await start({ proxyProtocol: ['127.0.0.1/32'] })
    const client = dial(port)
    client.send(octets)
    expect(await client.closed()).toBe('')
    expect(await metric('elemta_connection_errors_total{reason="proxy"}')).toBe(1)
  })

  test('speaks for its client before the handshake of an implicit TLS listener', async () => {
    const { submissions, logged } = await startModes({ proxyProtocol: ['127.0.0.1/32'] })
    const client = dial(submissions)
    client.send('PROXY TCP4 192.0.2.7 127.0.0.1 56324 465\r\n')
    const socket = shakeHands({ socket: client.socket, rejectUnauthorized: false })
    const greeting = await new Promise(resolve => socket.once('data', octets => resolve(String(octets))))
    expect(greeting).toMatch(/^220 /)
    socket.end('QUIT\r\n')
    await expect.poll(() => logged('session-ended')).toMatchObject([{ client: '192.0.2.7', mode: 'submissions' }])
  })

  test('that is none gets no client named, and the header is a mistake', async () => {
    const { port } = await start({ proxyProtocol: ['10.0.0.0/8'] })
    const client = dial(port)
    await client.reply()
    expect(await client.say('PROXY TCP4 10.1.2.3 127.0.0.1 56324 25')).toMatch(/^500 /)
  })
})
