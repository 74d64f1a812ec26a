// A TCP connection to a next hop as SMTP sees it: octets out, replies in, a deadline on every wait.
// Once it failed it stays failed: what was received before is still handed out, then every wait rejects with the
// first failure, a NextHopError whose message is for people. Nothing that a peer sends makes it throw anything else.
import { connect as connectSocket, type Socket } from 'node:net'
import { createReplyParser, type NextHopReply } from './smtp-reply-parser.ts'

/** Where to connect to and what to speak there. `host` is a name or an IP address, IPv6 without brackets. */
export type NextHop = Readonly<{ protocol: 'smtp' | 'lmtp'; host: string; port: number }>

/** How long to wait for what, in milliseconds (RFC 5321 §4.5.3.2 but for `connect`, `quit` and `attempt`). */
export type DeliveryTimeouts = Readonly<{
  connect: number
  greeting: number
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
  hello: 5 * MINUTE,
  mail: 5 * MINUTE,
  rcpt: 5 * MINUTE,
  data: 2 * MINUTE,
  block: 3 * MINUTE,
  dot: 10 * MINUTE,
  quit: 2000,
  attempt: 20 * MINUTE,
}

/** The next hop, or the way to it, is in trouble: a deferral. The message says what happened, in one line. */
export class NextHopError extends Error {
  override readonly name = 'NextHopError'
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
  /** No wait lasts beyond this point of `performance.now()`; `late` is the error's message when one would. */
  endBy(time: number, late: string): void
  /** Cuts the connection: everything that waits rejects with the error. */
  fail(error: Error): void
}>

/** More replies than anybody asked for: the peer is out of its mind, or wants our memory. */
const MOST_UNASKED_REPLIES = 1000

/** Opens a connection within `timeout` milliseconds. Rejects with NextHopError, or with the signal's reason. */
export function connect(
  { host, port }: NextHop,
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<SmtpConnection> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    // A name may have several addresses; each but the last gets a part of the time (RFC 8305).
    const attemptTimeout = Math.max(10, Math.floor(timeout / 3))
    const socket = connectSocket({ host, port, noDelay: true, autoSelectFamilyAttemptTimeout: attemptTimeout })
    const timer = setTimeout(end, timeout, new NextHopError(`no connection within ${seconds(timeout)}`))
    const onAbort = () => end(signal?.reason)
    const onError = (error: Error) => end(new NextHopError(describeNetworkError(error)))
    signal?.addEventListener('abort', onAbort)
    socket.on('error', onError)
    socket.on('connect', () => end())

    function end(error?: Error) {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      if (error === undefined) {
        const connection = smtpConnection(socket)
        socket.off('error', onError)
        resolve(connection)
      } else {
        socket.destroy()
        reject(error)
      }
    }
  })
}

function smtpConnection(socket: Socket): SmtpConnection {
  const parse = createReplyParser()
  const replies: NextHopReply[] = []
  let failure: Error | undefined
  let end = { time: Number.POSITIVE_INFINITY, late: '' }
  /** At most one wait at a time: the dialogue goes step by step, also when its commands went out in one piece. */
  let wait: { for: 'reply' | 'drain'; resolve: () => void; reject: (error: Error) => void } | undefined
  let timer: NodeJS.Timeout | undefined

  socket.on('data', chunk => {
    try {
      replies.push(...parse(chunk))
    } catch (error) {
      fail(new NextHopError((error as Error).message))
    }
    if (replies.length > MOST_UNASKED_REPLIES) fail(new NextHopError('more replies than commands'))
    if (replies.length > 0 && wait?.for === 'reply') settle()?.resolve()
  })
  socket.on('drain', () => {
    if (wait?.for === 'drain') settle()?.resolve()
  })
  socket.on('error', error => fail(new NextHopError(describeNetworkError(error))))
  socket.on('end', () => fail(new NextHopError('connection closed by the next hop')))
  socket.on('close', () => fail(new NextHopError('connection closed by the next hop')))

  function fail(error: Error): void {
    failure ??= error
    socket.destroy()
    settle()?.reject(failure)
  }

  function settle() {
    const settled = wait
    wait = undefined
    clearTimeout(timer)
    return settled
  }

  /** Waits for an event; `late` is the message when it does not come in time. */
  function waitFor(what: 'reply' | 'drain', timeout: number, late: string): Promise<void> {
    return new Promise((resolve, reject) => {
      wait = { for: what, resolve, reject }
      const left = Math.max(0, end.time - performance.now())
      const error = () => new NextHopError(left < timeout ? end.late : late)
      timer = setTimeout(() => fail(error()), Math.min(timeout, left))
    })
  }

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
    endBy(time, late) {
      end = { time, late }
    },
    fail,
  }
}

function seconds(milliseconds: number): string {
  return `${milliseconds / 1000} s`
}

const NETWORK_ERRORS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset by the next hop',
  EPIPE: 'connection closed by the next hop',
  ETIMEDOUT: 'connection timed out',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable',
  ENOTFOUND: 'host not found',
  EAI_AGAIN: 'the name service did not answer',
}

/** `connection refused` and the like; an error with several causes (a name with several addresses) by its first. */
function describeNetworkError(error: Error & { code?: string; errors?: readonly Error[] }): string {
  const cause: Error & { code?: string } = error.errors?.[0] ?? error
  return NETWORK_ERRORS[cause.code ?? ''] ?? cause.message
}
