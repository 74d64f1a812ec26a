// An SMTP client's side of a connection, with hands for good and ill: says whatever it is told, waits for replies or
// not. Never rejects once it is connected: a connection that is gone answers '' and takes no more.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'

export type Talk = Readonly<{
  say(octets: string | Buffer): void
  /** The next whole reply; '' when the connection is gone. */
  reply(): Promise<string>
  /** Says it and waits for the reply. */
  ask(line: string): Promise<string>
  /** False when the handshake failed. */
  startTls(): Promise<boolean>
  /** From now on nothing is read. */
  stopReading(): void
  /** Says no more, but listens. */
  finish(): void
  /** Resolves when the other side closes, or after so many milliseconds. */
  stay(milliseconds: number): Promise<void>
  isOver(): boolean
  close(): void
  reset(): void
}>

const REPLY = /^(?:\d{3}-[^\n]*\n)*\d{3}(?: [^\n]*)?\n/

/** Rejects when there is no connection to be had. */
export async function startTalk(port: number, localAddress?: string): Promise<Talk> {
  const raw = connect({
    port,
    host: '127.0.0.1',
    noDelay: true,
    allowHalfOpen: true,
    ...(localAddress && { localAddress }),
  })
  await once(raw, 'connect')
  const gone = Promise.withResolvers<void>()
  let over = false
  let text = ''
  let wake = () => {}
  let socket: Socket = raw
  const receive = (data: Buffer) => {
    text += data.toString('latin1')
    wake()
  }
  const end = () => {
    over = true
    gone.resolve()
    wake()
  }
  raw
    .on('error', () => {})
    .on('data', receive)
    .once('end', end)
    .once('close', end)

  async function reply(): Promise<string> {
    for (;;) {
      const found = REPLY.exec(text)?.[0]
      if (found !== undefined) {
        text = text.slice(found.length)
        return found
      }
      if (over) return ''
      await new Promise<void>(resolve => (wake = resolve))
    }
  }
  const say = (octets: string | Buffer) => void (over || socket.write(octets))

  return {
    say,
    reply,
    ask(line) {
      say(`${line}\r\n`)
      return reply()
    },
    async startTls() {
      raw.off('data', receive)
      const secure = connectTls({ socket: raw, rejectUnauthorized: false })
      socket = secure
      secure
        .on('error', () => {})
        .on('data', receive)
        .once('close', end)
      await Promise.race([once(secure, 'secureConnect').catch(() => {}), gone.promise])
      return !over
    },
    stopReading: () => void socket.pause(),
    finish: () => void socket.end(),
    async stay(milliseconds) {
      const late = new AbortController()
      await Promise.race([gone.promise, sleep(milliseconds, undefined, late).catch(() => {})])
      late.abort()
    },
    isOver: () => over,
    close: () => void socket.destroy(),
    // Below TLS, Node may crash on it.
    reset: () => void (socket === raw ? raw.resetAndDestroy() : socket.destroy()),
  }
}
