// The dialogue with a next hop around its transactions: greeting, EHLO or LHLO, STARTTLS, AUTH, and QUIT.
// A next hop that does not let us begin is in trouble, whatever code it uses: NextHopError, so the mail is deferred.
// TLS as the next hop's policy says. `may` ends in clear text rather than not at all, on a connection of its own when
// a handshake failed; every other policy, and a next hop with a login, never does.
import type { NextHop } from './next-hop.ts'
import { authenticate } from './next-hop-auth.ts'
import { openSocket } from './next-hop-socket.ts'
import { shakeHands, TlsError, type TlsFacts, type TlsSessions } from './next-hop-tls.ts'
import { classifyReply } from './outcome.ts'
import {
  type DeliveryTimeouts,
  NextHopError,
  type SmtpConnection,
  smtpConnection,
  type Trouble,
} from './smtp-connection.ts'
import { type NextHopReply, replyLine } from './smtp-reply-parser.ts'

export type SmtpSession = {
  readonly nextHop: NextHop
  readonly connection: SmtpConnection
  /** EHLO keywords in upper case, with their parameters (RFC 5321 §4.1.1.1). */
  readonly extensions: ReadonlyMap<string, string>
  /** Absent in clear text; then `tlsFailure` says what kept us from it, where something did. */
  readonly tls?: TlsFacts
  readonly tlsFailure?: string
  /** Transactions begun. */
  transactions: number
  /** A transaction was left before its end: RSET comes before the next one. */
  mustReset: boolean
  /** Both sides agree on where they are, so that another transaction may follow. */
  reusable: boolean
}

export type Attempt = Readonly<{
  /** When to give up, as a point of `performance.now()`. */
  endBy: number
  signal?: AbortSignal | undefined
}>

export type SessionOptions = Readonly<{
  /** Our name, where the next hop is not to hear another one. */
  hostname: string
  timeouts: DeliveryTimeouts
  /** To resume, and to add to. */
  tlsSessions?: TlsSessions
}>

/** Connects, says hello, and whatever else comes before MAIL. Rejects with NextHopError, or with the signal's reason. */
export async function openSession(nextHop: NextHop, options: SessionOptions, attempt: Attempt): Promise<SmtpSession> {
  try {
    return await open(nextHop, options, attempt)
  } catch (error) {
    const clearTextWillDo = (nextHop.tls ?? 'may') === 'may' && nextHop.protocol !== 'smtps' && !nextHop.auth
    if (!(error instanceof TlsError) || !clearTextWillDo || performance.now() >= attempt.endBy) throw error
    const session = await open({ ...nextHop, tls: 'none' }, options, attempt)
    return { ...session, nextHop, tlsFailure: error.message }
  }
}

async function open(nextHop: NextHop, options: SessionOptions, { endBy, signal }: Attempt): Promise<SmtpSession> {
  const { timeouts, tlsSessions } = options
  const timeLeft = Math.max(0, endBy - performance.now())
  const connection = smtpConnection(await openSocket(nextHop, Math.min(timeouts.connect, timeLeft), signal))
  connection.endBy(endBy, 'the attempt took too long')
  const abort = () => connection.fail(signal?.reason)
  signal?.addEventListener('abort', abort)
  const secure = () => shakeHands(connection, nextHop, { timeout: timeouts.tls, sessions: tlsSessions })
  try {
    signal?.throwIfAborted()
    let tls = nextHop.protocol === 'smtps' ? await secure() : undefined
    // Nothing is said before the greeting: who talks early is taken for a spammer.
    const greeting = await connection.reply('connect', timeouts.greeting)
    if (classifyReply('greeting', greeting) !== 'ok') throw unwilling(greeting, 'connection')
    connection.concerns('session')
    let extensions = await hello(nextHop, connection, options)
    const answer = tls === undefined ? await startTls(nextHop, connection, extensions, timeouts.hello) : undefined
    if (answer?.code === READY_FOR_TLS) {
      tls = await secure()
      // RFC 3207 §4.2: what was said in clear text is forgotten.
      extensions = await hello(nextHop, connection, options).catch(error => {
        // In TLS 1.3 the other side's objections come behind the handshake.
        if (connection.isOpen() || !(error instanceof NextHopError)) throw error
        throw new TlsError(`TLS failed: ${error.message}`, 'connection', { cause: error })
      })
    }
    if (nextHop.auth !== undefined) {
      if (tls === undefined) {
        throw new NextHopError(`no login as ${nextHop.auth.user} without TLS`, 'session')
      }
      await authenticate(connection, nextHop.auth, extensions.get('AUTH'), timeouts.auth)
    }
    const refusal = answer && tls === undefined ? { tlsFailure: `the next hop says: ${replyLine(answer)}` } : {}
    const secured = tls === undefined ? refusal : { tls }
    return { nextHop, connection, extensions, ...secured, transactions: 0, mustReset: false, reusable: true }
  } catch (error) {
    connection.fail(error as Error)
    throw error
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}

const READY_FOR_TLS = 220

/** The reply to STARTTLS; undefined where that is not said. Rejects where TLS must be and cannot. */
async function startTls(
  { tls = 'may' }: NextHop,
  connection: SmtpConnection,
  extensions: ReadonlyMap<string, string>,
  timeout: number,
): Promise<NextHopReply | undefined> {
  const required = tls === 'encrypt' || tls === 'verify'
  if (tls === 'none') return undefined
  if (!extensions.has('STARTTLS')) {
    if (required) throw new NextHopError('TLS is required, but the next hop does not offer it', 'session')
    return undefined
  }
  connection.write('STARTTLS\r\n')
  const reply = await connection.reply('STARTTLS', timeout)
  if (reply.code === READY_FOR_TLS) return reply
  // RFC 3207 §4: it may have no TLS for now; the session goes on as it was.
  if (required) throw new NextHopError(`TLS is required, but the next hop says: ${replyLine(reply)}`, 'session')
  return reply
}

/** EHLO or LHLO; HELO for those who know neither (RFC 5321 §3.2). Returns the extensions. */
async function hello(
  { protocol, helo }: NextHop,
  connection: SmtpConnection,
  { hostname, timeouts }: SessionOptions,
): Promise<ReadonlyMap<string, string>> {
  const verb = protocol === 'lmtp' ? 'LHLO' : 'EHLO'
  connection.write(`${verb} ${helo ?? hostname}\r\n`)
  const reply = await connection.reply(verb, timeouts.hello)
  if (reply.code >= 500 && protocol !== 'lmtp') {
    connection.write(`HELO ${helo ?? hostname}\r\n`)
    demandHello(await connection.reply('HELO', timeouts.hello))
    return new Map()
  }
  demandHello(reply)
  return new Map(
    reply.lines.slice(1).map(line => {
      const [, keyword = '', parameters = ''] = /^([^ =]*)[ =]?(.*)$/s.exec(line) ?? []
      return [keyword.toUpperCase(), parameters]
    }),
  )
}

function demandHello(reply: NextHopReply): void {
  if (classifyReply('hello', reply) !== 'ok') throw unwilling(reply, 'session')
}

function unwilling(reply: NextHopReply, about: Trouble): NextHopError {
  return new NextHopError(replyLine(reply), about)
}

/** Says QUIT where the connection still stands and cuts it. Never rejects. */
export async function quit({ connection, reusable }: SmtpSession, timeout: number): Promise<void> {
  const done = new NextHopError('connection closed by us')
  if (reusable && connection.isOpen()) {
    connection.endBy(performance.now() + timeout, 'no reply to QUIT')
    connection.write('QUIT\r\n')
    await connection.reply('QUIT', timeout).catch(() => {})
  }
  connection.fail(done)
}
