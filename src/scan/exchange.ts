// One question and one answer over a TCP connection of its own: how we talk to clamd and to rspamd, both of which
// close after their answer. Sends with back-pressure; stops sending as soon as an answer comes, since whoever answers
// early reads no further. Every failure is an ExchangeError of a kind that a finding can carry.
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ScanFailure } from '../mail/verdict.ts'

export type Request = readonly Buffer[] | AsyncIterable<Buffer>

export type Exchange = Readonly<{
  host: string
  port: number
  /** Milliseconds for everything, a second try included. */
  timeout: number
  /** What to send; called again, with 2, for the second try. */
  request(attempt: 1 | 2): Request
  /** Octets of a request, where that is known. */
  length?: number
  /** Octets; a longer answer is a failure. */
  replyLimit: number
  /** Whether these last octets are the end of the answer; without it, the answer ends with the connection. */
  isEnd?(last: Buffer): boolean
  signal?: AbortSignal | undefined
}>

export type Reply = Readonly<{
  octets: Buffer
  /** It came before everything was sent: good for a refusal, not for praise. */
  early: boolean
}>

export class ExchangeError extends Error {
  override readonly name = 'ExchangeError'
  readonly failure: ScanFailure
  /** Refused or reset before anything was answered. */
  readonly lost: boolean
  constructor(failure: ScanFailure, message: string, lost = false) {
    super(message)
    this.failure = failure
    this.lost = lost
  }
}

/** Milliseconds until a connection counts as not to be had: two retransmissions of a SYN fit in. */
const CONNECT_TIMEOUT = 5000
/** Milliseconds before the second try. */
const RETRY_DELAY = 50

/**
 * Sends the request and resolves with the answer, as far as it came: after a reset the caller must see for itself
 * whether it is whole. A connection that is refused or reset without an answer is tried once more, since a full accept
 * queue and a restart look like that. Rejects with an ExchangeError.
 */
export async function exchange(options: Exchange): Promise<Reply> {
  const startedAt = performance.now()
  try {
    return await exchangeOnce(options, 1, options.timeout)
  } catch (error) {
    const left = options.timeout - (performance.now() - startedAt) - RETRY_DELAY
    if (!(error instanceof ExchangeError && error.lost) || left <= 0 || options.signal?.aborted) throw error
    await sleep(RETRY_DELAY)
    return exchangeOnce(options, 2, left)
  }
}

function exchangeOnce(options: Exchange, attempt: 1 | 2, timeout: number): Promise<Reply> {
  const { host, port, request, replyLimit, isEnd, signal } = options
  const peer = peerName(options)
  const { promise, resolve, reject } = Promise.withResolvers<Reply>()
  const socket = connect({ host, port, noDelay: true })
  const parts: Buffer[] = []
  let received = 0
  let sent = 0
  let connected = false
  let allGiven = false
  let over = false
  let continueSending: (() => void) | undefined

  const connectTimeout = Math.min(CONNECT_TIMEOUT, timeout)
  let timer = setTimeout(
    () => fail('unreachable', `${peer} accepted no connection within ${seconds(connectTimeout)}`),
    connectTimeout,
  )
  const onAbort = () => fail('timeout', `${peer}: given up`)
  signal?.addEventListener('abort', onAbort)

  function finish() {
    over = true
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
    socket.destroy()
    continueSending?.()
  }
  function succeed() {
    if (over) return
    // Where the length is known it counts: the end of what is read may be told later than the answer comes.
    const given = options.length === undefined ? allGiven : sent >= options.length
    const early = !given || socket.writableLength > 0
    finish()
    resolve({ octets: parts.length === 1 ? parts[0]! : Buffer.concat(parts), early })
  }
  function fail(failure: ScanFailure, why: string, lost = false) {
    if (over) return
    finish()
    reject(new ExchangeError(failure, why, lost))
  }

  async function send() {
    const pieces = request(attempt)
    if (!(Symbol.asyncIterator in pieces)) {
      socket.cork()
      for (const piece of pieces) write(piece)
      socket.uncork()
      allGiven = true
      return
    }
    for await (const piece of pieces) {
      if (over || received > 0) return
      if (write(piece)) continue
      await new Promise<void>(go => (continueSending = go))
      if (over) return
    }
    allGiven = true
  }
  function write(piece: Buffer): boolean {
    sent += piece.length
    return socket.write(piece)
  }

  socket.on('connect', () => {
    connected = true
    clearTimeout(timer)
    timer = setTimeout(() => {
      fail('timeout', `${peer} gave no answer within ${seconds(options.timeout)} (${sent} octets sent)`)
    }, timeout)
    send().catch(error => fail('protocol', `${peer}: the message could not be read: ${error.message}`))
  })
  socket.on('drain', () => continueSending?.())
  socket.on('data', (chunk: Buffer) => {
    parts.push(chunk)
    received += chunk.length
    if (received > replyLimit) fail('protocol', `${peer} answered more than ${replyLimit} octets`)
    else if (isEnd?.(chunk)) succeed()
  })
  socket.on('end', () => {
    if (received > 0) succeed()
    else fail('protocol', `${peer} closed the connection without an answer (${sent} octets sent)`)
  })
  socket.on('error', (error: NodeJS.ErrnoException) => {
    const lost = error.code === 'ECONNREFUSED' || error.code === 'ECONNRESET' || error.code === 'EPIPE'
    if (!connected) fail('unreachable', `${peer}: ${inWords(error)}`, lost)
    else if (received > 0) succeed()
    else fail('protocol', `${peer} broke the connection without an answer (${error.code}, ${sent} octets sent)`, lost)
  })
  if (signal?.aborted) onAbort()
  return promise
}

/** Host and port for people. */
export function peerName({ host, port }: Pick<Exchange, 'host' | 'port'>): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function inWords({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'ECONNREFUSED':
      return 'connection refused'
    case 'ENOTFOUND':
      return 'no such host'
    case 'EAI_AGAIN':
      return 'the name could not be looked up'
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'no route to this address'
    default:
      return code ?? message
  }
}

function seconds(milliseconds: number): string {
  return `${Math.round(milliseconds / 100) / 10} s`
}
