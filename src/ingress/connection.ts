// One client's connection: cuts its octets into command lines and DATA, puts the replies on the wire, keeps its times.
// Commands are taken one after the other, whatever was pipelined; the replies of one turn go out in one write.
// Bounded on both sides: of what is not yet consumed one chunk is kept, then the socket is not read; a client that does
// not read its replies is not read either. No error of a socket, a session or a policy gets out of here.
import type { Socket } from 'node:net'
import { formatReply, type Reply } from '../mail/reply.ts'
import { crashPoint } from '../platform/crash-point.ts'
import { type MaybePromise, when } from './answer.ts'
import { createLineReader } from './command-line.ts'
import { answerMessage } from './end-of-data.ts'
import type { Reception } from './reception.ts'
import * as replies from './replies.ts'
import { answerCommand, countError, greet, resetSession, type Session } from './session.ts'

export type Connection = Readonly<{
  /** Ends the connection when its time is over; `now` is of the monotonic clock. */
  expire(now: number): void
  /** 421 at once, or after the final reply when a message is coming in. */
  drain(): void
  destroy(): void
}>

type Options = Readonly<{
  /** Milliseconds to wait before the greeting; who talks first is refused. 0: greet at once. */
  pregreetDelay: number
  onClose(seconds: number): void
}>

/** Replies that are gathered before they are written, in characters. */
const MOST_OUTPUT = 16 * 1024
const NOTHING: Buffer = Buffer.alloc(0)

export function serveConnection(socket: Socket, session: Session, { pregreetDelay, onClose }: Options): Connection {
  const { metrics, log, limits } = session.settings
  const { timeouts, dataRate } = limits
  const opened = performance.now()
  const takeLine = createLineReader()
  /** `waiting`: for an answer of our own side. `closing`: our last reply is said. */
  let state: 'greeting' | 'talking' | 'waiting' | 'closing' = 'greeting'
  let input = NOTHING
  let output = ''
  /** The client does not read what we wrote. */
  let blocked = false
  /** The client has closed its side. */
  let ended = false
  let draining = false
  let saidAccepted = false
  let deadline = Number.POSITIVE_INFINITY
  /** Octets of DATA since the deadline was set. */
  let progress = 0
  let pregreet: NodeJS.Timeout | undefined

  socket.on('data', receive)
  socket.on('drain', () => {
    blocked = false
    work()
  })
  socket.on('end', () => {
    ended = true
    work()
  })
  socket.on('error', error => log.debug({ client: session.client.address, why: error.message }, 'socket-error'))
  socket.on('close', () => {
    clearTimeout(pregreet)
    noteGone()
    state = 'closing'
    onClose((performance.now() - opened) / 1000)
  })
  if (pregreetDelay > 0) pregreet = setTimeout(sayGreeting, pregreetDelay)
  else sayGreeting()
  return { expire, drain, destroy }

  function sayGreeting(): void {
    pregreet = undefined
    state = 'waiting'
    const greeting = when(greet(session), reply => {
      if (reply.code !== 220) sayLast(reply)
      return reply.code === 220 ? reply : undefined
    })
    if (greeting instanceof Promise) wait(greeting)
    else answered(greeting)
  }

  function receive(chunk: Buffer): void {
    if (state === 'closing') return
    if (pregreet !== undefined) {
      sayLast(replies.talkedTooEarly)
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
      if (ended) leave()
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
      if (line !== undefined) return answerCommand(session, line)
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
    // One octet a second is not progress: the rate is kept on average over the time that silence may last.
    progress += octets.length
    if (progress >= (dataRate * timeouts.data) / 1000) renewDeadline()
    return reception.room()?.then(() => undefined)
  }

  /** The session goes on with the answer; meanwhile nothing is taken, and the client's clock stands still. */
  function wait(answer: Promise<Reply | undefined>): void {
    state = 'waiting'
    deadline = Number.POSITIVE_INFINITY
    answer.then(answered, fault)
  }

  function answered(reply: Reply | undefined): void {
    if (state !== 'waiting') return
    state = 'talking'
    renewDeadline()
    if (reply !== undefined) say(reply)
    work()
  }

  function say(reply: Reply): void {
    output += formatReply(reply)
    renewDeadline()
    if (reply.code === 221 || reply.code === 421) state = 'closing'
    else if (draining && session.reception === undefined) say(replies.shuttingDown)
    if (output.length > MOST_OUTPUT) flush()
  }

  function sayLast(reply: Reply): void {
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
    noteGone()
    state = 'closing'
    input = NOTHING
    if (socket.writableEnded) return
    deadline = performance.now() + timeouts.linger
    socket.end()
    socket.resume()
  }

  /** A transaction ends with the connection; nothing of it is kept. */
  function noteGone(): void {
    const { transaction, reception, client } = session
    if (transaction !== undefined && state !== 'closing') {
      metrics.connectionErrors.inc('reset')
      const stage = reception === undefined ? 'rcpt' : 'data'
      log.info({ queueId: transaction.queueId, client: client.address, stage }, 'client-gone')
    }
    resetSession(session)
  }

  function renewDeadline(): void {
    progress = 0
    const timeout = session.reception === undefined ? timeouts.command : timeouts.data
    deadline = Math.min(performance.now() + timeout, opened + timeouts.session)
  }

  function expire(now: number): void {
    if (now < deadline) return
    if (state !== 'closing') metrics.connectionErrors.inc('timeout')
    if (state === 'closing' || blocked) destroy()
    else sayLast(replies.timedOut)
  }

  function drain(): void {
    draining = true
    if (state === 'closing' || state === 'waiting' || session.reception !== undefined) return
    sayLast(replies.shuttingDown)
  }

  function destroy(): void {
    state = 'closing'
    socket.destroy()
  }

  /** A mistake of ours: this client is sent away to try again, everybody else goes on. */
  function fault(error: unknown): void {
    log.error({ err: error, client: session.client.address }, 'session-failed')
    if (state !== 'closing') sayLast(replies.ownFault)
  }
}
