// One client's connection: cuts its octets into command lines and DATA, puts the replies on the wire, keeps its times.
// Commands are taken one after the other, whatever was pipelined; the replies of one turn go out in one write.
// Bounded on both sides: of what is not yet consumed one chunk is kept, then the socket is not read; a client that does
// not read its replies is not read either. No error of a socket, a session or a policy gets out of here.
import type { Socket } from 'node:net'
import type { TLSSocketOptions } from 'node:tls'
import { formatReply, type Reply } from '../mail/reply.ts'
import { crashPoint } from '../platform/crash-point.ts'
import { type MaybePromise, when } from './answer.ts'
import { startClock } from './client-clock.ts'
import { leaveTransaction } from './client-gone.ts'
import { createLineReader } from './command-line.ts'
import { answerMessage } from './end-of-data.ts'
import { countError } from './errors.ts'
import type { Reception } from './reception.ts'
import * as replies from './replies.ts'
import { LONGEST_SASL_LINE } from './sasl.ts'
import { secure, type TlsFacts } from './secure.ts'
import { answerLine, greet, type Session, secureSession } from './session.ts'

export type Connection = Readonly<{
  /** Ends the connection when its time is over; `now` is of the monotonic clock. */
  expire(now: number): void
  /** 421 at once, or when the transaction has come to its end. */
  drain(): void
  destroy(): void
}>

type Options = Readonly<{
  /** What to do TLS with; undefined: we have none. */
  tls: (() => TLSSocketOptions) | undefined
  /** TLS from the first octet on. */
  implicitTls: boolean
  /** Milliseconds to wait before the greeting; who talks first is refused. 0: greet at once. */
  pregreetDelay: number
  onClose(ending: Readonly<{ seconds: number; ended: Ended }>): void
}>

/** How a connection came to its end. */
export type Ended = 'quit' | 'closed' | 'reset' | 'timeout' | 'errors' | 'refused' | 'drained' | 'tls-failed' | 'fault'

/** Replies that are gathered before they are written, in characters. */
const MOST_OUTPUT = 16 * 1024
const NOTHING: Buffer = Buffer.alloc(0)

export function serveConnection(raw: Socket, session: Session, options: Options): Connection {
  const { tls, implicitTls, pregreetDelay, onClose } = options
  const { metrics, log, limits } = session.settings
  const { timeouts } = limits
  const clock = startClock(limits)
  const opened = performance.now()
  const takeLine = createLineReader(session.mode === 'mx' ? undefined : LONGEST_SASL_LINE)
  let socket = raw
  /** `waiting`: for an answer of our own side. `closing`: our last reply is said. */
  let state: 'greeting' | 'securing' | 'talking' | 'waiting' | 'closing' = 'greeting'
  let ended: Ended = 'closed'
  let input = NOTHING
  let output = ''
  /** The client does not read what we wrote. */
  let blocked = false
  /** The client has closed its side. */
  let finished = false
  let draining = false
  let saidAccepted = false
  let pregreet: NodeJS.Timeout | undefined
  const isInTransaction = () => session.transaction !== undefined || session.reception !== undefined

  attach()
  raw.once('close', closed)
  if (implicitTls) startTls()
  else begin()
  return { expire, drain, destroy }

  function attach(): void {
    socket.on('data', receive).on('drain', unblock).on('end', finish).on('error', noteError)
  }

  /** Takes our hands off the socket: what it reads from now on is not ours. */
  function detach(): void {
    socket.pause().off('data', receive).off('drain', unblock).off('end', finish)
  }

  function unblock(): void {
    blocked = false
    work()
  }

  function finish(): void {
    finished = true
    session.finished = input.length === 0
    work()
  }

  function noteError(error: Error): void {
    if (ended === 'closed') ended = 'reset'
    log.debug({ client: session.client.address, why: error.message }, 'socket-error')
  }

  function closed(): void {
    if (session.gone) return // the socket and the TLS on it both tell
    clearTimeout(pregreet)
    leaveTransaction(session, { ours: state === 'closing' })
    session.gone = true
    state = 'closing'
    onClose({ seconds: (performance.now() - opened) / 1000, ended })
  }

  function begin(): void {
    if (pregreetDelay === 0) sayGreeting()
    else pregreet = setTimeout(sayGreeting, pregreetDelay)
  }

  /** Whatever came in before the handshake was said in the open, by whomever, and is dropped (RFC 3207 §4.2). */
  function startTls(): void {
    if (tls === undefined) throw new Error('STARTTLS without a certificate')
    state = 'securing'
    input = NOTHING
    clock.last(timeouts.handshake)
    detach()
    blocked = false
    socket = secure(raw, tls(), { onSecure, onFailure }).once('close', closed)
  }

  function onSecure(facts: TlsFacts): void {
    if (state !== 'securing') return
    secureSession(session, facts)
    attach()
    state = 'talking'
    clock.turn(session.reception !== undefined)
    if (implicitTls) begin()
    else work()
  }

  function onFailure(why: string): void {
    if (state !== 'securing') return
    metrics.tlsHandshakeFailures.inc()
    log.info({ client: session.client.address, why }, 'tls-failed')
    ended = 'tls-failed'
    destroy()
  }

  function sayGreeting(): void {
    pregreet = undefined
    state = 'waiting'
    const greeting = when(greet(session), reply => {
      if (reply.code === 220) return reply
      end('refused', reply)
      return undefined
    })
    if (greeting instanceof Promise) wait(greeting)
    else answered(greeting)
  }

  function receive(chunk: Buffer): void {
    if (state === 'closing') return
    if (pregreet !== undefined) {
      end('errors', replies.talkedTooEarly)
      return
    }
    input = input.length === 0 ? chunk : Buffer.concat([input, chunk])
    if (state === 'talking' && !blocked) work()
    else socket.pause()
  }

  /** Takes what can be taken now, then writes all replies at once. */
  function work(): void {
    try {
      while (state === 'talking' && !blocked && input.length > 0) {
        const { reception } = session
        const answer = reception === undefined ? takeCommand() : takeData(reception)
        if (answer instanceof Promise) wait(answer)
        else if (answer !== undefined) say(answer)
        else break
      }
      flush()
      if (state !== 'talking' || blocked) return
      if (finished) leave()
      else if (socket.isPaused()) socket.resume()
    } catch (error) {
      fault(error)
    }
  }

  function takeCommand(): MaybePromise<Reply> | undefined {
    for (;;) {
      const before = input
      const { line, refusal, rest } = takeLine(before)
      input = rest
      if (line !== undefined) return answerLine(session, line)
      if (refusal !== undefined) return countError(session, refusal)
      if (rest.length === 0 || rest.length === before.length) return undefined
    }
  }

  function takeData(reception: Reception): MaybePromise<Reply | undefined> {
    const octets = input
    const end = reception.push(octets)
    if (end !== -1) {
      input = octets.subarray(end)
      return when(answerMessage(session), reply => {
        saidAccepted = reply.code === 250
        return reply
      })
    }
    input = NOTHING
    if (reception.endless) return replies.tooMuch
    clock.progress(octets.length)
    return reception.room()?.then(() => undefined)
  }

  /** The session goes on with the answer; meanwhile nothing is taken, and the client's clock stands still. */
  function wait(answer: Promise<Reply | undefined>): void {
    state = 'waiting'
    clock.stop()
    answer.then(answered, fault)
  }

  function answered(reply: Reply | undefined): void {
    if (state !== 'waiting') return
    state = 'talking'
    clock.turn(session.reception !== undefined)
    if (reply !== undefined) say(reply)
    work()
  }

  function say(reply: Reply): void {
    output += formatReply(reply)
    clock.turn(session.reception !== undefined)
    if (reply.code === 221 || reply.code === 421) {
      ended = reply.code === 221 ? 'quit' : reply === replies.shuttingDown ? 'drained' : 'errors'
      state = 'closing'
    } else if (session.startTls) flushThenSecure()
    else if (draining && !isInTransaction()) say(replies.shuttingDown)
    if (output.length > MOST_OUTPUT) flush()
  }

  function flushThenSecure(): void {
    flush()
    if (finished || state === 'closing') leave()
    else startTls()
  }

  function end(how: Ended, reply: Reply): void {
    ended = how
    clearTimeout(pregreet)
    output += formatReply(reply)
    state = 'closing'
    flush()
  }

  function flush(): void {
    if (output !== '' && socket.writable) {
      const text = output
      output = ''
      const flushed = saidAccepted ? () => crashPoint('after-reply') : undefined
      saidAccepted = false
      blocked = !socket.write(text, 'latin1', flushed)
    }
    if (state === 'closing') leave()
    else if (blocked) socket.pause()
  }

  /** Our side is done. What the client still sends is read and dropped, or a reset would swallow our last reply. */
  function leave(): void {
    leaveTransaction(session, { ours: state === 'closing' })
    state = 'closing'
    input = NOTHING
    if (socket.writableEnded) return
    clock.last(timeouts.linger)
    socket.end()
    socket.resume()
  }

  function expire(now: number): void {
    if (!clock.isOver(now)) return
    if (state !== 'closing') metrics.connectionErrors.inc('timeout')
    if (ended === 'closed') ended = 'timeout'
    if (state === 'closing' || state === 'securing' || blocked) destroy()
    else end('timeout', replies.timedOut)
  }

  function drain(): void {
    draining = true
    if (state === 'securing') destroy()
    else if (state !== 'closing' && state !== 'waiting' && !isInTransaction()) {
      end('drained', replies.shuttingDown)
    }
  }

  function destroy(): void {
    state = 'closing'
    socket.destroy()
  }

  /** A mistake of ours: this client is sent away to try again, everybody else goes on. */
  function fault(error: unknown): void {
    log.error({ err: error, client: session.client.address }, 'session-failed')
    if (state !== 'closing') end('fault', replies.ownFault)
  }
}
