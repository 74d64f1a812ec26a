// A mail server of a drill: the next hop of the gateway, and the smarthost of Alertmanager. It takes every message and
// keeps it, or does as it is told: answers RCPT with a reply of our choice.
// No TLS, no login, no pipelining; what it does not know is 502.
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'

export type SunkMail = Readonly<{ recipients: readonly string[]; content: string; at: number }> // at: ms since 1970

export type SmtpSink = Readonly<{
  port: number
  mail: readonly SunkMail[]
  /** What every RCPT is answered from now on; without it recipients are taken. */
  answerRecipients(reply?: string): void
  close(): Promise<void>
}>

const END = '\r\n.\r\n'

/** On the port `at`; without it on any free one. */
export async function startSmtpSink(at = 0): Promise<SmtpSink> {
  const mail: SunkMail[] = []
  const open = new Set<Socket>()
  let refusal: string | undefined
  const server = createServer({ noDelay: true }, socket => {
    open.add(socket)
    socket.on('close', () => open.delete(socket)).on('error', () => {})
    serve(socket, { keep: received => mail.push(received), refusal: () => refusal })
  })
  server.listen(at, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    mail,
    answerRecipients(reply) {
      refusal = reply
    },
    async close() {
      server.close()
      for (const socket of open) socket.destroy()
      await once(server, 'close')
    },
  }
}

type Service = Readonly<{ keep(mail: SunkMail): void; refusal(): string | undefined }>

function serve(socket: Socket, { keep, refusal }: Service): void {
  let input = ''
  let inData = false
  let recipients: string[] = []
  const say = (reply: string) => socket.write(`${reply}\r\n`)

  function answer(line: string): void {
    switch (line.split(/[ :]/, 1)[0]!.toUpperCase()) {
      case 'EHLO':
      case 'HELO':
        return void say('250-sink.example\r\n250-8BITMIME\r\n250 SMTPUTF8')
      case 'MAIL':
      case 'RSET':
        recipients = []
        return void say('250 2.0.0 Ok')
      case 'RCPT': {
        const reply = refusal() ?? '250 2.1.5 Ok'
        if (reply.startsWith('2')) recipients.push(/<(.*?)>/.exec(line)?.[1] ?? '')
        return void say(reply)
      }
      case 'DATA':
        if (recipients.length === 0) return void say('554 5.5.1 No recipients')
        inData = true
        return void say('354 Go on')
      case 'QUIT':
        return void socket.end('221 2.0.0 Bye\r\n')
      default:
        return void say('502 5.5.2 Not here')
    }
  }

  function content(): boolean {
    const end = input.indexOf(END)
    if (end === -1) return false
    keep({ recipients, content: input.slice(0, end + 2).replaceAll('\r\n..', '\r\n.'), at: Date.now() })
    input = input.slice(end + END.length)
    inData = false
    say('250 2.0.0 Ok')
    return true
  }

  function command(): boolean {
    const end = input.indexOf('\r\n')
    if (end === -1) return false
    const line = input.slice(0, end)
    input = input.slice(end + 2)
    answer(line)
    return true
  }

  socket.setEncoding('utf8').on('data', (text: string) => {
    input += text
    while (inData ? content() : command());
  })
  say('220 sink.example ESMTP')
}
