// Delivery to a program that is not ours: Postfix's smtp-sink (Debian package postfix), which writes down what it got.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { createDeliverer } from '../../src/deliver/deliverer.ts'
import { acceptedMessage, contentOf, deliverWith, HOSTNAME } from './messages.ts'

let stop: () => Promise<void> = async () => {}
afterEach(() => stop())

/** Starts smtp-sink and a deliverer to it. `dumps` reads what it got: one text per message, without carriage returns. */
async function startSink(protocol: 'smtp' | 'lmtp', ...options: string[]) {
  const directory = await mkdtemp(join(tmpdir(), 'elemta-sink-'))
  await chmod(directory, 0o777)
  const port = await freePort()
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
  const lmtp = protocol === 'lmtp' ? ['-L'] : []
  const args = [...user, ...lmtp, ...options, '-d', join(directory, 'm'), `127.0.0.1:${port}`, '100']
  const sink = spawn('smtp-sink', args, { stdio: ['ignore', 'ignore', 'inherit'] })
  await spawned(sink)
  await answering(port, sink)
  const deliverer = createDeliverer({
    hostname: HOSTNAME,
    routes: [{ domains: ['*'], to: `${protocol}://127.0.0.1:${port}` }],
  })
  stop = async () => {
    await deliverer.close()
    sink.kill('SIGTERM')
    await once(sink, 'exit')
    await rm(directory, { recursive: true })
  }
  const dumps = async () =>
    Promise.all((await readdir(directory)).map(name => readFile(join(directory, name), 'latin1')))
  return { deliverer, dumps }
}

async function spawned(sink: ChildProcess): Promise<void> {
  try {
    await once(sink, 'spawn')
  } catch (error) {
    throw new Error('smtp-sink is missing: install the Debian package postfix', { cause: error })
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function answering(port: number, sink: ChildProcess): Promise<void> {
  await expect
    .poll(
      async () => {
        if (sink.exitCode !== null) throw new Error(`smtp-sink ended with ${sink.exitCode}`)
        const socket = connect(port, '127.0.0.1')
        const answered = await once(socket, 'data').then(
          () => true,
          () => false,
        )
        socket.destroy()
        return answered
      },
      { timeout: 5000, interval: 10 },
    )
    .toBe(true)
}

const hostile = Buffer.from(
  [
    'Subject: dots',
    '',
    '.',
    '..',
    '...',
    '.leading',
    'trailing.',
    '',
    '.',
    'G\xfc\xdfe \x01\x7f\x80\xff',
    '.',
    '',
  ].join('\r\n'),
  'latin1',
)

describe.each([
  ['smtp', 'pipelined', []],
  ['smtp', 'step by step', ['-p']],
  ['smtp', 'without ESMTP', ['-e']],
  ['lmtp', 'pipelined', []],
] as const)('%s, %s:', (protocol, _, options) => {
  test('100 recipients and 8-bit octets and dots arrive as they were', async () => {
    const { deliverer, dumps } = await startSink(protocol, ...options)
    const recipients = Array.from({ length: 100 }, (_, n) => `r${n}@example.com`)
    for (let n = 0; n < 3; n++) {
      const outcomes = await deliverWith(deliverer, { recipients, content: contentOf(hostile, 5) })
      expect(new Set([...outcomes.values()].map(({ kind }) => kind))).toEqual(new Set(['delivered']))
      expect(outcomes.size).toBe(100)
    }
    await expect.poll(async () => (await dumps()).length).toBe(3)
    for (const dump of await dumps()) {
      expect(dump).toContain('X-Mail-Args: <alice@sender.example>')
      expect(dump.match(/^X-Rcpt-Args: /gm)).toHaveLength(100)
      expect(dump.trimEnd().endsWith(hostile.toString('latin1').replaceAll('\r\n', '\n').trimEnd())).toBe(true)
    }
  })
})

test('20 MB arrive as they were', async () => {
  const { deliverer, dumps } = await startSink('smtp')
  const lines = Array.from({ length: 270_000 }, (_, n) => `${n % 3 === 0 ? '.' : 'x'}${n} ${'y'.repeat(66)}\r\n`)
  const big = `Subject: big\r\n\r\n${lines.join('')}`
  const message = acceptedMessage(undefined, { envelope: { body: '8BITMIME' } })
  const outcomes = await deliverWith(deliverer, { message, content: contentOf(big) })
  expect([...outcomes.values()].map(({ kind }) => kind)).toEqual(['delivered'])
  const [dump] = await dumps()
  expect(dump!.trimEnd().endsWith(big.replaceAll('\r\n', '\n').trimEnd())).toBe(true)
})

test('a reply that says 4yz is a deferral there too', async () => {
  const { deliverer, dumps } = await startSink('smtp', '-r', '.')
  const [outcome] = (await deliverWith(deliverer)).values()
  expect(outcome).toMatchObject({ kind: 'deferred', reply: '450 4.3.0 Error: command failed' })
  expect((await dumps()).length).toBeLessThanOrEqual(1)
})
