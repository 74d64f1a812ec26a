// One mail transaction with a next hop: MAIL, RCPT, DATA, content, and what each recipient's fate is.
// Results are reported as soon as they are final; who has none when `runTransaction` rejects is to be deferred with the
// error's message. The content goes out only after 354 and gets its final dot only when it was read to its end and the
// dot is on record. Who has no answer to the dot is deferred, in doubt: the next hop may have the message.
import type { Envelope, Recipient } from '../mail/envelope.ts'
import { crashPoint } from '../platform/crash-point.ts'
import type { DotMark } from './dot-mark.ts'
import { createDotStuffer } from './dot-stuffing.ts'
import { mailDsnParameters, rcptDsnParameters } from './dsn-parameters.ts'
import { type FailureReason, reasonOf } from './failure-reason.ts'
import { classifyReply, type OutcomeKind } from './outcome.ts'
import { nextHopName } from './routes.ts'
import { type DeliveryTimeouts, NextHopError } from './smtp-connection.ts'
import { type NextHopReply, replyLine } from './smtp-reply-parser.ts'
import type { Attempt, SmtpSession } from './smtp-session.ts'

export type Transaction = Readonly<{
  reversePath: string
  recipients: readonly string[]
  /** As the client declared them (RFC 6531, RFC 6152). */
  smtputf8: boolean
  body: '7BIT' | '8BITMIME'
  /** The envelope, for what the sender asked of reports (RFC 3461); absent: nothing. */
  reports?: Pick<Envelope, 'ret' | 'envelopeId' | 'recipients'>
  /** Octets of content, about: RFC 1870 §6 wants an estimate. */
  size: number
  content(): AsyncIterable<Buffer>
  /** The header holds octets beyond ASCII; asked only where it matters. */
  headerHasUtf8(): Promise<boolean>
}>

export type RecipientResult = Readonly<{
  recipient: string
  kind: OutcomeKind
  reply: string
  /** The next hop knows what the sender asked of reports, so those on what it took are its duty (RFC 3461 §5.2.2). */
  dsn: boolean
  /** No answer to the dot came: it may have the message. */
  inDoubt?: true
  reason?: FailureReason
}>

/** The attempt ends, in time or by its signal, up to the final dot; behind it the reply is awaited. */
export type TransactionOptions = Attempt &
  Readonly<{
    timeouts: DeliveryTimeouts
    mark?: DotMark | undefined
    /** Takes results that are final; never rejects. */
    report(results: readonly RecipientResult[]): Promise<void>
  }>

/** A connection that was kept had been closed by the next hop: nothing happened, a fresh one may be tried. */
export class StaleConnectionError extends NextHopError {}

/** Content is sent in pieces of about this size. */
const BLOCK = 64 * 1024
const SERVICE_CLOSING = 421

type Dialogue = {
  readonly session: SmtpSession
  readonly transaction: Transaction
  readonly timeouts: DeliveryTimeouts
  readonly mark: DotMark | undefined
  /** Final and not reported yet. */
  results: RecipientResult[]
  /** The next hop answered to something of this transaction. */
  acknowledged: boolean
  /** From here on the message may be delivered. */
  dotSent: boolean
  /** Have the dot, and no answer to it yet. */
  inDoubt: readonly string[]
}

/**
 * Runs a transaction. Rejects with StaleConnectionError (nothing reported), NextHopError, the signal's reason or what
 * `content` throws; the connection is cut then.
 */
export async function runTransaction(
  session: SmtpSession,
  transaction: Transaction,
  { timeouts, endBy, report, signal, mark }: TransactionOptions,
): Promise<void> {
  signal?.throwIfAborted()
  const { connection } = session
  const begin = { results: [], acknowledged: false, dotSent: false, inDoubt: [] }
  const dialogue: Dialogue = { session, transaction, timeouts, mark, ...begin }
  const kept = session.transactions++ > 0
  connection.concerns('session')
  const flush = async () => {
    if (dialogue.results.length > 0) await report(dialogue.results.splice(0))
  }
  const abort = () => {
    if (!dialogue.dotSent) connection.fail(signal?.reason)
  }
  signal?.addEventListener('abort', abort)
  connection.endBy(endBy, 'the attempt took too long')
  try {
    const recipients = await openTransaction(dialogue)
    if (recipients.length > 0) await sendContent(dialogue, recipients, flush)
    await flush()
  } catch (error) {
    session.reusable = false
    connection.fail(error as Error)
    if (kept && !dialogue.acknowledged && error instanceof NextHopError)
      throw new StaleConnectionError(error.message, error.about)
    if (error instanceof NextHopError) leaveInDoubt(dialogue, error)
    await flush()
    throw error
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}

/** MAIL, RCPT and DATA; returns the recipients whom the content is for, none when it must not be sent. */
async function openTransaction(dialogue: Dialogue): Promise<string[]> {
  const { session, transaction, timeouts } = dialogue
  const { parameters, rcptParameters, recipients } = await extensionsFor(dialogue)
  if (recipients.length === 0) return []
  const mail = `MAIL FROM:<${transaction.reversePath}>${parameters}\r\n`
  const rcpt = (recipient: string) => `RCPT TO:<${recipient}>${rcptParameters(recipient)}\r\n`

  const pipelined = session.extensions.has('PIPELINING')
  const reset = session.mustReset ? 'RSET\r\n' : ''
  // RFC 2920 §3.1: RSET, MAIL and RCPT may go in one piece, DATA as its last command.
  if (pipelined) session.connection.write(`${reset}${mail}${recipients.map(rcpt).join('')}DATA\r\n`)
  const ask = (what: string, command: string, timeout: number) => {
    if (!pipelined) session.connection.write(command)
    return replyTo(dialogue, what, timeout)
  }

  if (reset !== '') await ask('RSET', reset, timeouts.mail)
  session.mustReset = true
  const mailReply = await ask('MAIL', mail, timeouts.mail)
  dialogue.acknowledged = true
  const mailResult = classifyReply('mail', mailReply)
  if (mailResult !== 'ok') decide(dialogue, recipients, mailResult, mailReply)
  if (mailResult !== 'ok' && !pipelined) return []

  const accepted: string[] = []
  for (const recipient of recipients) {
    const reply = await ask('RCPT', rcpt(recipient), timeouts.rcpt)
    const result = classifyReply('rcpt', reply)
    // Without MAIL the replies to what was pipelined behind it mean nothing.
    if (mailResult !== 'ok') continue
    if (result === 'ok') accepted.push(recipient)
    else decide(dialogue, [recipient], result, reply)
  }
  if (accepted.length === 0 && !pipelined) return []

  const reply = await ask('DATA', 'DATA\r\n', timeouts.data)
  const result = classifyReply('data', reply)
  if (result === 'ok' && accepted.length > 0) return accepted
  if (result === 'ok') {
    // RFC 2920 §3.1: it wants content although it took no recipient. It gets none, and no further transaction:
    // what it says to that (LMTP: nothing) is no concern of ours.
    session.connection.write('.\r\n')
    session.reusable = false
  } else {
    decide(dialogue, accepted, result, reply)
  }
  return []
}

/** The content up to its final dot, and the reply: one for all, in LMTP one for each recipient (RFC 2033 §4.2). */
async function sendContent(dialogue: Dialogue, recipients: readonly string[], flush: () => Promise<void>) {
  const { session, timeouts } = dialogue
  const { connection } = session
  // From here on it may be this content that the next hop, or something on the way, cannot bear.
  connection.concerns('message')
  const complete = await writeContent(dialogue, recipients).catch(error => {
    // It closed before the end; if it also said something, then that is why.
    if (connection.waiting() === 0) throw error
    return false
  })
  if (!complete) return refusedInContent(dialogue, recipients)

  const late = `no reply to the final dot within ${timeouts.dot / 1000} s`
  connection.endBy(performance.now() + timeouts.dot, late)
  const answers = session.nextHop.protocol === 'lmtp' ? recipients.map(recipient => [recipient]) : [recipients]
  for (const concerned of answers) {
    const reply = await replyTo(dialogue, 'the final dot', Number.POSITIVE_INFINITY)
    dialogue.inDoubt = dialogue.inDoubt.slice(concerned.length)
    const result = classifyReply('dot', reply)
    decide(dialogue, concerned, result === 'ok' ? 'delivered' : result, reply)
    if (connection.waiting() === 0) await flush()
  }
  // RFC 5321 §4.1.1.4: the reply ends the transaction, whatever it is.
  session.mustReset = false
}

/** False when the next hop answered before the end: what it has is no whole message, and no dot was sent. */
async function writeContent(dialogue: Dialogue, recipients: readonly string[]): Promise<boolean> {
  const { connection } = dialogue.session
  const stuffer = createDotStuffer()
  let block: Buffer[] = []
  let size = 0
  for await (const chunk of dialogue.transaction.content()) {
    block.push(stuffer.stuff(chunk))
    size += chunk.length
    if (size < BLOCK) continue
    if (connection.waiting() > 0) return false
    connection.write(Buffer.concat(block))
    await connection.drain(dialogue.timeouts.block)
    block = []
    size = 0
  }
  if (!(await markDot(dialogue, recipients))) return false
  dialogue.dotSent = true
  dialogue.inDoubt = recipients
  connection.write(Buffer.concat([...block, stuffer.end()]))
  crashPoint('after-dot')
  return true
}

/** Puts the dot on record. False when the next hop spoke or went, or the attempt was called off: no dot then. */
async function markDot({ session, mark }: Dialogue, recipients: readonly string[]): Promise<boolean> {
  const { connection, nextHop } = session
  const goesOn = () => connection.waiting() === 0 && connection.isOpen()
  if (mark === undefined || !goesOn()) return goesOn()
  await mark.set(recipients, nextHopName(nextHop))
  if (goesOn()) return true
  await mark.clear(recipients)
  return false
}

/** RFC 5321 §4.5.3.2.6: a message whose dot has no answer may have been taken all the same. */
function leaveInDoubt({ inDoubt, results }: Dialogue, error: NextHopError): void {
  const reason = reasonOf(error)
  for (const recipient of inDoubt) {
    results.push({ recipient, kind: 'deferred', reply: error.message, dsn: false, inDoubt: true, reason })
  }
}

/** A reply while content was still going out, such as 552: it counts for all, and the connection is of no use now. */
async function refusedInContent(dialogue: Dialogue, recipients: readonly string[]): Promise<void> {
  const { session } = dialogue
  const reply = await replyTo(dialogue, 'the content', 0)
  const result = classifyReply('dot', reply)
  if (result === 'ok') throw new NextHopError(`a reply before the end of the content: ${replyLine(reply)}`)
  decide(dialogue, recipients, result, reply)
  session.reusable = false
  session.connection.fail(new NextHopError('the content was refused'))
}

/** The next reply. 421 says that the next hop closes the connection, whatever was asked (RFC 5321 §3.8). */
async function replyTo(dialogue: Dialogue, what: string, timeout: number): Promise<NextHopReply> {
  const reply = await dialogue.session.connection.reply(what, timeout)
  if (reply.code === SERVICE_CLOSING) {
    dialogue.inDoubt = []
    throw new NextHopError(replyLine(reply), 'session')
  }
  return reply
}

function decide(
  { session, results }: Dialogue,
  recipients: readonly string[],
  kind: OutcomeKind,
  reply: NextHopReply,
): void {
  const text = replyLine(reply)
  const dsn = session.extensions.has('DSN')
  for (const recipient of recipients) results.push({ recipient, kind, reply: text, dsn })
}

/** The parameters of MAIL and RCPT, and the recipients left when those are gone whom this next hop cannot be told. */
async function extensionsFor({ session: { extensions }, transaction, results }: Dialogue) {
  const { reversePath, recipients, smtputf8, body, size, reports } = transaction
  const dsn = extensions.has('DSN')
  const asked = dsn ? new Map(reports?.recipients.map(one => [one.address, one])) : new Map<string, Recipient>()
  const rcptParameters = (recipient: string) => rcptDsnParameters(asked.get(recipient) ?? {})
  const parameters = [
    extensions.has('SIZE') ? ` SIZE=${size}` : '',
    // Without 8BITMIME the octets go out as they are (RFC 6152 §3 would have them encoded): signatures stay whole.
    body === '8BITMIME' && extensions.has('8BITMIME') ? ' BODY=8BITMIME' : '',
    dsn && reports !== undefined ? mailDsnParameters(reports) : '',
  ].join('')
  const isInternational = (address: string) => Buffer.byteLength(address) > address.length
  if (extensions.has('SMTPUTF8')) {
    const wanted = smtputf8 || isInternational(reversePath) || recipients.some(isInternational)
    return { parameters: wanted ? `${parameters} SMTPUTF8` : parameters, rcptParameters, recipients }
  }
  // RFC 6531 §3.2: nobody may change an address, so there is no way to this next hop; the codes are from there too.
  const headerRefused = smtputf8 && (await transaction.headerHasUtf8())
  const plain: string[] = []
  for (const recipient of recipients) {
    if (headerRefused) results.push({ recipient, kind: 'failed', reply: NO_UTF8_HEADER, dsn })
    else if (isInternational(reversePath) || isInternational(recipient)) {
      results.push({ recipient, kind: 'failed', reply: NO_UTF8_ADDRESS, dsn })
    } else plain.push(recipient)
  }
  return { parameters, rcptParameters, recipients: plain }
}

const NO_UTF8_ADDRESS = '550 5.6.7 The next hop does not take international addresses (no SMTPUTF8)'
const NO_UTF8_HEADER = '550 5.6.9 The next hop does not take an international header (no SMTPUTF8)'
