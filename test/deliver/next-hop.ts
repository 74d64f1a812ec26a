// A next hop that does what a test tells it: an SMTP or LMTP server whose every answer can be replaced.
// It speaks correctly where nothing else is said, and keeps what it was told.
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { createSecureContext, type SecureContext, type SecureContextOptions, TLSSocket } from 'node:tls'
import { unstuff } from './unstuff.ts'

/** What to do at a step: a reply line or several (CRLF is added), octets as they are, a cut, no reply, none ever again. */
export type Action =
  | string
  /** `deaf`: and takes nothing from then on. */
  | Readonly<{ raw: string | Buffer; deaf?: boolean }>
  /** Sends the octets, if any, and closes. */
  | Readonly<{ cut: string }>
  | 'silence'
  | 'mute'

/** An action, or a choice by what was said and by how many connections came before this one. */
type Step = Action | ((said: string, connection: number) => Action)

export type Script = Readonly<{
  lmtp?: boolean
  /** What STARTTLS is answered with certificates of; `implicit`: before the greeting already. */
  tls?: SecureContextOptions & Readonly<{ implicit?: boolean }>
  starttls?: Step
  /** For AUTH, and for each line of the exchange behind it. */
  auth?: Step
  greeting?: Step
  /** For EHLO and LHLO. */
  hello?: Step
  helo?: Step
  mail?: Step
  rcpt?: Step
  data?: Step
  /** In LMTP asked once for each accepted recipient, who is what was said. */
  dot?: Step
  rset?: Step
  quit?: Step
  /** Replies are kept back until this command came: a client that does not pipeline never gets there. */
  holdUntil?: string
  /** The connection is cut when so many octets came in. */
  cutAfterReceiving?: number
  /** The connection is cut when so many octets went out. */
  cutAfterSending?: number
  /** Nothing is read any more behind DATA. */
  stopReading?: boolean
  /** Sent as soon as so many octets of content came in. */
  interrupt?: Readonly<{ after: number; action: Action }>
}>

export type Received = Readonly<{ mail: string; recipients: readonly string[]; wire: Buffer; content: Buffer }>

export type NextHop = Readonly<{
  port: number
  /** `smtp://127.0.0.1:port` */
  url: string
  /** Complete messages, in order of their final dots. `wire` is stuffed, with the dot; `content` is neither. */
  messages: Received[]
  /** Each connection's command lines. */
  connections: string[][]
  /** Each handshake that was completed: the name that was asked for, and whether an earlier session went on. */
  handshakes: Readonly<{ servername: string | undefined; resumed: boolean }>[]
  /** Each connection's far end. */
  clients: string[]
  /** Connections open now. */
  open: Set<Socket>
  /** Replaces the script for everything that follows. */
  follow(script: Script): void
  close(): Promise<void>
}>

const END = Buffer.from('.\r\n')
const EXTENSIONS = ['next-hop.example', 'PIPELINING', 'SIZE 50000000', '8BITMIME', 'SMTPUTF8', 'ENHANCEDSTATUSCODES']

/** A multi-line 250 with these extensions. */
export function helloReply(lines: readonly string[] = EXTENSIONS): string {
  return lines.map((line, n) => `250${n === lines.length - 1 ? ' ' : '-'}${line}`).join('\r\n')
}

/** On the port `at`: 0 for any free one. */
export async function startNextHop(first: Script = {}, at = 0): Promise<NextHop> {
  let script = first
  const messages: Received[] = []
  const connections: string[][] = []
  const handshakes: { servername: string | undefined; resumed: boolean }[] = []
  const clients: string[] = []
  const open = new Set<Socket>()
  // One for all connections: its keys are what lets a session be resumed.
  const secureContext = first.tls === undefined ? undefined : createSecureContext(first.tls)
  const server = createServer({ noDelay: true }, socket => {
    const commands: string[] = []
    connections.push(commands)
    clients.push(socket.remoteAddress ?? '')
    open.add(socket)
    socket.on('close', () => open.delete(socket))
    socket.on('error', () => {})
    serve(socket, { commands, connection: connections.length, now: () => script, messages, secureContext, handshakes })
  })
  server.listen(at, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: `${first.lmtp ? 'lmtp' : first.tls?.implicit ? 'smtps' : 'smtp'}://127.0.0.1:${port}`,
    messages,
    connections,
    handshakes,
    clients,
    open,
    follow(next) {
      script = { ...(first.lmtp ? { lmtp: true } : {}), ...next }
    },
    async close() {
      for (const socket of open) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

type Service = Readonly<{
  commands: string[]
  connection: number
  now: () => Script
  messages: Received[]
  secureContext: SecureContext | undefined
  handshakes: { servername: string | undefined; resumed: boolean }[]
}>

function serve(accepted: Socket, { commands, connection, now, messages, secureContext, handshakes }: Service): void {
  let socket = accepted
  let input = Buffer.alloc(0)
  /** Content that came in, until it ends like a message: then it becomes `input`. */
  let pieces: Buffer[] = []
  let received = 0
  let sent = 0
  let held: string | undefined
  let muted = false
  let inData = false
  let inAuth = false
  let interrupted = false
  let mail = ''
  let recipients: string[] = []

  function send(octets: string | Buffer): void {
    if (muted) return
    if (held !== undefined) {
      held += octets.toString('latin1')
      return
    }
    const all = Buffer.from(octets as string, 'latin1')
    const left = (now().cutAfterSending ?? Number.POSITIVE_INFINITY) - sent
    sent += all.length
    if (left > all.length) socket.write(all)
    else socket.end(all.subarray(0, Math.max(0, left)))
  }

  function act(step: Step, said: string): Action {
    const action = typeof step === 'function' ? step(said, connection) : step
    if (action === 'mute') muted = true
    if (action === 'silence' || action === 'mute') return action
    if (typeof action === 'string') send(`${action}\r\n`)
    else if ('raw' in action) {
      send(action.raw)
      if (action.deaf) socket.off('data', take).resume()
    } else socket.end(action.cut)
    return action
  }

  function listen(): void {
    socket.on('data', take)
  }

  function take(chunk: Buffer): void {
    const limit = now().cutAfterReceiving ?? Number.POSITIVE_INFINITY
    const taken = chunk.subarray(0, Math.max(0, limit - received))
    received += chunk.length
    pieces.push(taken)
    const interesting = !inData || now().interrupt !== undefined || received >= limit
    if (!interesting && !Buffer.concat(pieces.slice(-3)).includes(END)) return
    input = Buffer.concat([input, ...pieces])
    pieces = []
    while (inData ? content() : command());
    if (received >= limit) socket.destroy()
  }
  function secure(): void {
    if (secureContext === undefined) return
    socket.off('data', take)
    const secured = new TLSSocket(socket, { isServer: true, secureContext })
    socket = secured
    // What was sent in clear text is no part of the session (RFC 3207 §4.2).
    input = Buffer.alloc(0)
    secured.on('error', () => accepted.destroy())
    secured.on('close', () => accepted.destroy())
    secured.on('secure', () => {
      const { servername } = secured as TLSSocket & { servername?: string | false }
      handshakes.push({ servername: servername || undefined, resumed: secured.isSessionReused() })
    })
    listen()
  }

  if (now().tls?.implicit) secure()
  else listen()
  act(now().greeting ?? '220 next-hop.example ESMTP', '')

  function command(): boolean {
    const end = input.indexOf('\r\n')
    if (end === -1) return false
    const line = input.toString('utf8', 0, end)
    input = input.subarray(end + 2)
    commands.push(line)
    if (inAuth) answerAuth(line)
    else answer(line, line.split(/[ :]/, 1)[0]!.toUpperCase())
    if (held !== undefined && line === now().holdUntil) {
      const all = held
      held = undefined
      send(Buffer.from(all, 'latin1'))
    }
    return true
  }

  function answer(line: string, verb: string): Action {
    const script = now()
    switch (verb) {
      case 'EHLO':
      case 'LHLO': {
        if ((verb === 'LHLO') !== Boolean(script.lmtp)) return act('500 5.5.1 Wrong protocol', line)
        const action = act(script.hello ?? helloReply(), line)
        held = script.holdUntil === undefined ? undefined : ''
        return action
      }
      case 'HELO':
        return act(script.helo ?? '250 next-hop.example', line)
      case 'MAIL': {
        if (mail !== '') return act('503 5.5.1 Nested MAIL', line)
        const action = act(script.mail ?? '250 2.1.0 Ok', line)
        if (isPositive(action)) mail = line
        recipients = []
        return action
      }
      case 'RCPT': {
        if (mail === '' && script.rcpt === undefined) return act('503 5.5.1 Need MAIL', line)
        const action = act(script.rcpt ?? '250 2.1.5 Ok', line)
        if (isPositive(action)) recipients.push(line)
        return action
      }
      case 'DATA': {
        if (recipients.length === 0 && script.data === undefined) return act('554 5.5.1 No valid recipients', line)
        const action = act(script.data ?? '354 End data with <CR><LF>.<CR><LF>', line)
        inData = typeof action === 'string' && action.startsWith('354')
        if (inData && script.stopReading) socket.pause()
        return action
      }
      case 'STARTTLS': {
        const action = act(script.starttls ?? '220 2.0.0 Go on', line)
        if (typeof action === 'string' ? action.startsWith('220') : typeof action === 'object' && 'raw' in action)
          secure()
        return action
      }
      case 'AUTH':
        return answerAuth(line)
      case 'RSET':
        mail = ''
        return act(script.rset ?? '250 2.0.0 Ok', line)
      case 'QUIT':
        return act(script.quit ?? { cut: '221 2.0.0 Bye\r\n' }, line)
      default:
        return act('502 5.5.2 Not implemented', line)
    }
  }

  function answerAuth(line: string): Action {
    const action = act(now().auth ?? '235 2.7.0 Welcome', line)
    inAuth = typeof action === 'string' && action.startsWith('334')
    return action
  }

  function content(): boolean {
    const { interrupt } = now()
    if (interrupt !== undefined && !interrupted && input.length >= interrupt.after) {
      interrupted = true
      act(interrupt.action, 'content')
    }
    const wireEnd = input.toString('latin1', 0, 3) === '.\r\n' ? 3 : input.indexOf('\r\n.\r\n') + 5
    if (wireEnd === 4) return false
    const wire = input.subarray(0, wireEnd)
    input = input.subarray(wireEnd)
    inData = false
    messages.push({ mail, recipients, wire, content: unstuff(wire) })
    mail = ''
    const { dot, lmtp } = now()
    for (const recipient of lmtp ? recipients : ['.']) act(dot ?? '250 2.0.0 Ok: queued as 42', recipient)
    return true
  }
}

function isPositive(action: Action): boolean {
  return typeof action === 'string' && action.startsWith('2')
}
