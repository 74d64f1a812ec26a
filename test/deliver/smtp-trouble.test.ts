// What a failure says about the next hop: whether its other mail may be tried.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import type { Trouble } from '../../src/deliver/smtp-connection.ts'
import { handOver, openPool } from './hand-over.ts'
import { contentOf } from './messages.ts'
import { helloReply, type NextHop, type Script, startNextHop } from './next-hop.ts'

let hop: NextHop
afterEach(() => hop.close())
const to = (port = hop.port) => ({ protocol: 'smtp', host: '127.0.0.1', port }) as const
const cut = { cut: '' }

describe.each([
  ['pipelined', helloReply()],
  ['step by step', helloReply(['old.example'])],
])('a failure, %s, is about', (_, hello) => {
  test.each<[Trouble, string, Script]>([
    ['connection', 'a 421 greeting', { greeting: '421 4.3.2 Busy' }],
    ['connection', 'a 554 greeting', { greeting: '554 5.7.1 Go away' }],
    ['connection', 'a close before the greeting', { greeting: cut }],
    ['connection', 'no greeting', { greeting: 'mute' }],
    ['connection', 'a greeting that is none', { greeting: 'SSH-2.0-OpenSSH' }],
    ['session', '4yz to EHLO', { hello: '451 4.3.0 Later' }],
    ['session', 'a close at EHLO', { hello: cut }],
    ['session', '421 to MAIL', { mail: '421 4.3.2 Shutting down' }],
    ['session', '421 to RCPT', { rcpt: '421 4.7.0 Too fast' }],
    ['session', '421 to the dot', { dot: '421 4.3.2 Shutting down' }],
    ['session', 'a close at RCPT', { rcpt: cut }],
    ['session', 'no answer to MAIL', { mail: 'mute' }],
    ['message', 'a close at the dot', { dot: cut }],
    ['message', 'no answer to the dot', { dot: 'mute' }],
    ['message', 'a close in the content', { interrupt: { after: 1, action: cut } }],
  ])('the %s: %s', async (about, _case, script) => {
    hop = await startNextHop({ hello, ...script })
    const timeouts = { greeting: 50, mail: 50, dot: 50 }
    const { error } = await handOver(openPool({ timeouts }), to(), { timeouts })
    expect([error?.about, error?.message]).toEqual([about, expect.any(String)])
  })

  test('the session again when the next message begins', async () => {
    hop = await startNextHop({ hello })
    const pool = openPool()
    await handOver(pool, to())
    hop.follow({ hello, rcpt: cut })
    expect((await handOver(pool, to())).error?.about).toBe('session')
  })
})

test('nobody listening is about the connection', async () => {
  hop = await startNextHop()
  expect((await handOver(openPool(), to(1))).error).toMatchObject({
    about: 'connection',
    message: 'connection refused',
  })
})

describe('as few pieces as can be:', () => {
  /** What sockets that are opened from here on hand to the system, one call each. */
  function watchWrites(): string[] {
    const pieces: string[] = []
    const onSocket = (event: unknown) => {
      const { socket } = event as { socket: Socket }
      const { _write, _writev } = socket
      socket._write = function (data, ...rest) {
        pieces.push(String(data))
        _write.call(this, data, ...rest)
      }
      socket._writev = function (chunks, done) {
        pieces.push(chunks.map(({ chunk }) => String(chunk)).join(''))
        _writev!.call(this, chunks, done)
      }
    }
    subscribe('net.client.socket', onSocket)
    stopWatching = () => void unsubscribe('net.client.socket', onSocket)
    return pieces
  }
  let stopWatching = () => {}
  afterEach(() => stopWatching())

  const content = contentOf(`Subject: 5 KB\r\n\r\n${'.dots and words\r\n'.repeat(300)}`, 700)
  const recipients = ['a@example.com', 'b@example.com', 'c@example.com']

  test('a small message is two, commands and content with its dot', async () => {
    hop = await startNextHop()
    const pool = openPool()
    await handOver(pool, to())
    const pieces = watchWrites()
    // A connection of its own is what is watched.
    await handOver(pool, { ...to(), helo: 'fresh.example.com' }, { content, recipients })
    expect(pieces.map(piece => piece.split(/[ \r]/, 1)[0])).toEqual(['EHLO', 'MAIL', 'Subject:'])
    expect(pieces[1]?.endsWith('\r\nDATA\r\n')).toBe(true)
    expect(pieces[2]?.endsWith('\r\n.\r\n')).toBe(true)
  })

  test('step by step the content is still one with its dot', async () => {
    hop = await startNextHop({ hello: helloReply(['old.example']) })
    const pieces = watchWrites()
    await handOver(openPool(), to(), { content })
    expect(pieces.map(piece => piece.split(/[ \r]/, 1)[0])).toEqual(['EHLO', 'MAIL', 'RCPT', 'DATA', 'Subject:'])
  })
})
