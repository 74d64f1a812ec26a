// The dialogue with a next hop around its transactions: greeting, EHLO or LHLO, and QUIT.
// A next hop that does not let us begin is in trouble, whatever code it uses: NextHopError, so the mail is deferred.
import { classifyReply, type Step } from './outcome.ts'
import { connect, type DeliveryTimeouts, type NextHop, NextHopError, type SmtpConnection } from './smtp-connection.ts'
import { type NextHopReply, replyLine } from './smtp-reply-parser.ts'

export type SmtpSession = {
  readonly nextHop: NextHop
  readonly connection: SmtpConnection
  /** EHLO keywords in upper case (RFC 5321 §4.1.1.1). */
  readonly extensions: ReadonlySet<string>
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

/** Connects and says hello as `hostname`. Rejects with NextHopError, or with the signal's reason. */
export async function openSession(
  nextHop: NextHop,
  { hostname, timeouts }: Readonly<{ hostname: string; timeouts: DeliveryTimeouts }>,
  { endBy, signal }: Attempt,
): Promise<SmtpSession> {
  const timeLeft = Math.max(0, endBy - performance.now())
  const connection = await connect(nextHop, Math.min(timeouts.connect, timeLeft), signal)
  connection.endBy(endBy, 'the attempt took too long')
  const abort = () => connection.fail(signal?.reason)
  signal?.addEventListener('abort', abort)
  try {
    // Nothing is said before the greeting: who talks early is taken for a spammer.
    demand('greeting', await connection.reply('connect', timeouts.greeting))
    const extensions = await hello(nextHop, connection, hostname, timeouts.hello)
    return { nextHop, connection, extensions, transactions: 0, mustReset: false, reusable: true }
  } catch (error) {
    connection.fail(error as Error)
    throw error
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}

/** EHLO or LHLO; HELO for those who know neither (RFC 5321 §3.2). Returns the extensions. */
async function hello({ protocol }: NextHop, connection: SmtpConnection, hostname: string, timeout: number) {
  const verb = protocol === 'lmtp' ? 'LHLO' : 'EHLO'
  connection.write(`${verb} ${hostname}\r\n`)
  const reply = await connection.reply(verb, timeout)
  if (reply.code >= 500 && protocol === 'smtp') {
    connection.write(`HELO ${hostname}\r\n`)
    demand('hello', await connection.reply('HELO', timeout))
    return new Set<string>()
  }
  demand('hello', reply)
  return new Set(reply.lines.slice(1).map(line => line.split(/[ =]/, 1)[0]!.toUpperCase()))
}

function demand(step: Step, reply: NextHopReply): void {
  if (classifyReply(step, reply) !== 'ok') throw new NextHopError(replyLine(reply))
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
