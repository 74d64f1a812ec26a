// A client that says what it is told to, octet by octet if need be, and hands back the replies: a test with it reads as
// the SMTP dialogue that it is.
import { createConnection, type Socket } from 'node:net'

export type Dialogue = Readonly<{
  socket: Socket
  /** Sends octets as they are. */
  send(octets: string | Buffer): void
  /** Sends octets one at a time, each in a segment of its own. */
  sendBytewise(octets: string | Buffer): Promise<void>
  /** The next whole reply, its lines joined by LF. Rejects when the connection ends first. */
  reply(): Promise<string>
  /** Sends a line and resolves with the reply to it. */
  say(line: string): Promise<string>
  /** Resolves with what came and was not asked for, once the server has closed. */
  closed(): Promise<string>
  hangUp(): void
}>

type Options = Readonly<{ from?: string; allowHalfOpen?: boolean }>

/** Connects without waiting for the greeting. */
export function dial(port: number, { from = '127.0.0.1', allowHalfOpen = false }: Options = {}): Dialogue {
  return converse(createConnection({ host: '127.0.0.1', port, localAddress: from, allowHalfOpen, noDelay: true }))
}

/** The dialogue on a connection that there is already. */
export function converse(socket: Socket): Dialogue {
  let unread = ''
  let over = false
  const waiting: (() => void)[] = []
  const wake = () => {
    for (const resume of waiting.splice(0)) resume()
  }
  const news = () => new Promise<void>(resolve => waiting.push(resolve))
  socket.setEncoding('latin1')
  socket.on('data', text => {
    unread += text
    wake()
  })
  socket.on('error', () => {})
  for (const event of ['end', 'close']) {
    socket.on(event, () => {
      over = true
      wake()
    })
  }

  async function reply(): Promise<string> {
    for (;;) {
      const whole = /^(?:\d{3}-.*\r\n)*\d{3}(?: .*)?\r\n/.exec(unread)?.[0]
      if (whole !== undefined) {
        unread = unread.slice(whole.length)
        return whole.trimEnd().replaceAll('\r\n', '\n')
      }
      if (over) throw new Error(`the server closed the connection; unread: ${JSON.stringify(unread)}`)
      await news()
    }
  }

  return {
    socket,
    reply,
    send: octets => void socket.write(octets, 'latin1'),
    async sendBytewise(octets) {
      for (const octet of Buffer.from(octets as string, 'latin1')) {
        await new Promise(resolve => socket.write(Buffer.of(octet), resolve))
      }
    },
    say(line) {
      socket.write(`${line}\r\n`)
      return reply()
    },
    async closed() {
      while (!over) await news()
      return unread
    },
    hangUp: () => void socket.destroy(),
  }
}

/** Connects, and takes the greeting and the reply to EHLO. */
export async function greeted(port: number, options: Options = {}): Promise<Dialogue> {
  const client = dial(port, options)
  await client.reply()
  await client.say('EHLO client.example')
  return client
}

/** As `greeted`, and has said MAIL, RCPT and DATA: the next octets are content. */
export async function inData(port: number, recipient = 'bob@example.com'): Promise<Dialogue> {
  const client = await greeted(port)
  await client.say('MAIL FROM:<alice@sender.example>')
  await client.say(`RCPT TO:<${recipient}>`)
  await client.say('DATA')
  return client
}
