// What protected a session, in the log: version and cipher, whether an earlier session went on, and the name asked for.
import { once } from 'node:events'
import { type ConnectionOptions, connect } from 'node:tls'
import { expect, test } from 'vitest'
import { converse, dial } from './dialogue.ts'
import { startModes, startTls } from './modes.ts'

/** TLS from the first octet on; ends with QUIT. Resolves with what the next session may begin with. */
async function visit(port: number, options: ConnectionOptions): Promise<Buffer | undefined> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options })
  let session: Buffer | undefined
  socket.on('session', ticket => (session = ticket))
  await once(socket, 'secureConnect')
  const client = converse(socket)
  await client.reply()
  await client.say('QUIT')
  await client.closed()
  return session
}

const FULL = { tls: expect.stringMatching(/^TLSv1\.3 TLS_/), tlsResumed: false }

test('is told where it began with TLS, resumed or not', async () => {
  const { submissions, logged } = await startModes()
  const servername = 'mail.example.com'
  const session = await visit(submissions, { servername })
  expect(session).toBeDefined()
  await visit(submissions, { servername, session: session! })
  await expect.poll(() => logged('session-ended')).toHaveLength(2)
  const [first, second] = logged('session-ended')
  expect(first).toMatchObject({ ...FULL, serverName: 'mail.example.com' })
  expect(second).toMatchObject({ ...FULL, tlsResumed: true })
  expect(logged('tls')).toMatchObject([
    { client: '127.0.0.1', version: 'TLSv1.3', resumed: false, serverName: 'mail.example.com' },
    { client: '127.0.0.1', version: 'TLSv1.3', resumed: true },
  ])
})

test('is told where STARTTLS was said, by TLS 1.2 too, and not where nothing was protected', async () => {
  const { mx, submissions, logged } = await startModes()
  const client = dial(mx)
  await client.reply()
  const secure = await startTls(client)
  await secure.say('QUIT')
  await secure.closed()
  await visit(submissions, { maxVersion: 'TLSv1.2' })
  const plain = dial(mx)
  await plain.reply()
  await plain.say('QUIT')
  await plain.closed()
  await expect.poll(() => logged('session-ended')).toHaveLength(3)
  const [started, old, open] = logged('session-ended')
  expect(started).toMatchObject({ mode: 'mx', ...FULL })
  expect(started).not.toHaveProperty('serverName')
  expect(old).toMatchObject({ tls: expect.stringMatching(/^TLSv1\.2 TLS_ECDHE_/) })
  for (const name of ['tls', 'tlsResumed', 'serverName']) expect(open).not.toHaveProperty(name)
})
