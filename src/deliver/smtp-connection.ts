// A TCP connection to a next hop as SMTP sees it: octets out, replies in, a deadline on every wait.
// Once it failed it stays failed: what was received before is still handed out, then every wait rejects with the
// first failure, a NextHopError whose message is for people. Nothing that a peer sends makes it throw anything else.
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { describeNetworkError } from './network-error.ts'
import { createReplyParser, type NextHopReply } from './smtp-reply-parser.ts'

/** How long to wait for what, in milliseconds (RFC 5321 §4.5.3.2 where it says something). */
export type DeliveryTimeouts = Readonly<{
  connect: number
  greeting: number
  /** The TLS handshake, and a login: all of it. */
  tls: number
  auth: number
  /** EHLO, LHLO, HELO. */
  hello: number
  /** MAIL, and RSET before it. */
  mail: number
  rcpt: number
  data: number
  /** Until a block of content is taken. */
  block: number
  /** From the final dot to its reply, in LMTP to the last one. */
  dot: number
  quit: number
  /** All of it up to the final dot, the wait for a connection included. */
  attempt: number
}>

const MINUTE = 60_000

export const DEFAULT_TIMEOUTS: DeliveryTimeouts = {
  connect: 30_000,
  greeting: 5 * MINUTE,
  tls: MINUTE,
  auth: MINUTE,
  hello: 5 * MINUTE,
  mail: 5 * MINUTE,
  rcpt: 5 * MINUTE,
  data: 2 * MINUTE,
  block: 3 * MINUTE,
  dot: 10 * MINUTE,
  quit: 2000,
  attempt: 20 * MINUTE,
}

/**
 * What is in trouble. `connection`: none came about, or it was of no use (DNS, refused, greeting, TLS). `session`: the
 * next hop talks, but does not serve us now (EHLO, login, 421, a break before the content). `message`: perhaps this
 * message alone; it says nothing about the next hop's other mail.
 */
export type Trouble = 'connection' | 'session' | 'message'

/** The next hop, or the way to it, is in trouble: a deferral. The message says what happened, in one line. */
export class NextHopError extends Error {
  override readonly name = 'NextHopError'
  readonly about: Trouble
  constructor(message: string, about: Trouble = 'message', options?: ErrorOptions) {
    super(message, options)
    this.about = about
  }
}

export type SmtpConnection = Readonly<{
  /** The peer's IP address. */
  remoteAddress: string
  /** Sends octets or text (UTF-8); nothing once the connection failed. */
  write(data: Buffer | string): void
  /** Resolves when enough of what was written is on its way for more to be welcome. */
  drain(timeout: number): Promise<void>
  /** The next reply, in order. `to` names what it answers: `RCPT`. */
  reply(to: string, timeout: number): Promise<NextHopReply>
  /** Replies that are here and were not asked for yet. */
  waiting(): number
  isOpen(): boolean
  /** What failures from here on are about; `connection` at first. */
  concerns(about: Trouble): void
  /**
   * Goes on under TLS: nothing that came in clear text counts any more. Rejects, the connection being cut, when
   * the handshake fails or is not done within `timeout` milliseconds.
   */
  secure(wrap: (socket: Socket) => TLSSocket, timeout: number): Promise<void>
  /** No wait lasts beyond this point of `performance.now()`; `late` is the error's message when one would. */
  endBy(time: number, late: string): void
  /** Cuts the connection: everything that waits rejects with the error. */
  fail(error: Error): void
}>

type WaitedFor = 'reply' | 'drain' | 'handshake'

/** More replies than anybody asked for: the peer is out of its mind, or wants our memory. */
const MOST_UNASKED_REPLIES = 1000

/** Takes over a socket that is connected. */
export function smtpConnection(connected: Socket): SmtpConnection {
  let socket = connected
  let parse = createReplyParser()
  let about: Trouble = 'connection'
  const replies: NextHopReply[] = []
  let failure: Error | undefined
  let end = { time: Number.POSITIVE_INFINITY, late: '' }
  /** At most one wait at a time: the dialogue goes step by step, also when its commands went out in one piece. */
  let wait: { for: WaitedFor; resolve: () => void; reject: (error: Error) => void } | undefined
  let timer: NodeJS.Timeout | undefined

  /** Events of a socket that TLS was put upon concern nobody any more. */
  function listenTo(current: Socket): void {
    const closed = () => {
      if (current === socket) giveUp('connection closed by the next hop')
    }
    current.on('data', chunk => {
      if (current === socket) take(chunk)
    })
    current.on('drain', () => {
      if (current === socket) arrived('drain')
    })
    current.on('error', error => {
      if (current === socket) giveUp(describeNetworkError(error), error)
    })
    current.on('end', closed).on('close', closed)
  }

  function take(chunk: Buffer): void {
    try {
      replies.push(...parse(chunk))
    } catch (error) {
      giveUp((error as Error).message)
    }
    if (replies.length > MOST_UNASKED_REPLIES) giveUp('more replies than commands')
    if (replies.length > 0) arrived('reply')
  }

  function giveUp(why: string, cause?: Error): void {
    fail(new NextHopError(why, about, { cause }))
  }

  function fail(error: Error): void {
    failure ??= error
    socket.destroy()
    settle()?.reject(failure)
  }

  function arrived(what: WaitedFor): void {
    if (wait?.for === what) settle()?.resolve()
  }

  function settle() {
    const settled = wait
    wait = undefined
    clearTimeout(timer)
    return settled
  }

  /** Waits for an event; `late` is the message when it does not come in time. */
  function waitFor(what: WaitedFor, timeout: number, late: string): Promise<void> {
    return new Promise((resolve, reject) => {
      wait = { for: what, resolve, reject }
      const left = Math.max(0, end.time - performance.now())
      timer = setTimeout(() => giveUp(left < timeout ? end.late : late), Math.min(timeout, left))
    })
  }

  listenTo(socket)
  return {
    remoteAddress: socket.remoteAddress ?? '',
    write(data) {
      if (failure === undefined) socket.write(data)
    },
    async drain(timeout) {
      if (failure !== undefined) throw failure
      if (socket.writableNeedDrain) await waitFor('drain', timeout, `no content taken for ${seconds(timeout)}`)
    },
    async reply(to, timeout) {
      if (replies.length === 0) {
        if (failure !== undefined) throw failure
        await waitFor('reply', timeout, `no reply to ${to} within ${seconds(timeout)}`)
      }
      return replies.shift()!
    },
    waiting: () => replies.length,
    isOpen: () => failure === undefined,
    concerns(what) {
      about = what
    },
    async secure(wrap, timeout) {
      if (failure !== undefined) throw failure
      const secured = wrap(socket)
      socket = secured
      // CVE-2011-0411, from the other side: somebody on the way could have put replies behind the 220.
      replies.length = 0
      parse = createReplyParser()
      listenTo(secured)
      secured.on('secureConnect', () => arrived('handshake'))
      await waitFor('handshake', timeout, `no handshake within ${seconds(timeout)}`)
    },
    endBy(time, late) {
      end = { time, late }
    },
    fail,
  }
}

export function seconds(milliseconds: number): string {
  return `${milliseconds / 1000} s`
}
