// An SMTP session: the dialogue from greeting to QUIT, as commands in and replies out (RFC 5321 §4). Knows no sockets.
// Each command gets exactly one reply, at once or as a promise, and is asked only after the one before was answered;
// 221 and 421 end the session, 354 starts a reception. A fault while deciding costs its own command a 451, no more.
import { parseForwardPath, parseReversePath } from '../mail/address.ts'
import type { Client } from '../mail/envelope.ts'
import { mintQueueId } from '../mail/queue-id.ts'
import { type Reply, replyText } from '../mail/reply.ts'
import type { Log } from '../platform/log.ts'
import type { Metrics } from '../platform/metrics.ts'
import type { Backends } from '../storage/backends.ts'
import { answerOf, type Deadline, type MaybePromise, when } from './answer.ts'
import { type Command, parseCommand } from './command.ts'
import type { Limits } from './limits.ts'
import { objectionOf, type Policy } from './policy.ts'
import { type BareNewline, type Reception, startReception, tooLarge } from './reception.ts'
import { mayRelay, type RelayControl } from './relay-control.ts'
import * as replies from './replies.ts'
import { inTransaction, type Transaction } from './transaction.ts'

/** What all sessions share. */
export type SessionSettings = Readonly<{
  hostname: string
  limits: Limits
  relay: RelayControl
  policy: Policy
  bareNewline: BareNewline
  backends: Pick<Backends, 'messages' | 'records' | 'scanJobs' | 'together'>
  log: Log
  metrics: Metrics
  /** Milliseconds since 1970. */
  now: () => number
}>

export type Session = {
  readonly settings: SessionSettings
  /** `helo` is '' until the client said it. */
  client: Client
  transaction: Transaction | undefined
  /** Set between 354 and the end of DATA. */
  reception: Reception | undefined
  /** Refused commands and recipients since the last accepted message. */
  errors: number
}

export function openSession(settings: SessionSettings, address: string, port: number): Session {
  const client = { address, port, helo: '', esmtp: false }
  return { settings, client, transaction: undefined, reception: undefined, errors: 0 }
}

/** 220, or what the policy has against this client, as 554 or 421 (RFC 5321 §3.1). */
export function greet({ settings, client }: Session): MaybePromise<Reply> {
  const { policy, hostname } = settings
  const objection = objectionOf(() => policy.connect?.(client), deadlineFor(settings, 'connect'))
  return when(objection, refusal => {
    if (refusal === undefined) return replies.greeting(hostname)
    return { ...refusal, code: refusal.code < 500 ? 421 : 554 }
  })
}

/** The reply to one command line (without its CRLF). */
export function answerCommand(session: Session, line: Buffer): MaybePromise<Reply> {
  return when(answer(session, parseCommand(line)), reply => countError(session, reply))
}

/** Replaces the reply by 421 when the client has made too many errors; any 5yz is one. */
export function countError(session: Session, reply: Reply): Reply {
  if (reply.code < 500) return reply
  session.errors++
  if (session.errors <= session.settings.limits.errors) return reply
  session.settings.metrics.connectionErrors.inc('errors')
  return replies.tooManyErrors
}

/** Ends what is in progress without a trace, as RSET does; also when the client is gone. */
export function resetSession(session: Session): void {
  session.reception?.abandon()
  session.reception = undefined
  session.transaction = undefined
}

export function deadlineFor({ limits, log }: SessionSettings, what: string): Deadline {
  return { milliseconds: limits.timeouts.answer, log, what }
}

function answer(session: Session, command: Command): MaybePromise<Reply> {
  const { hostname, limits } = session.settings
  switch (command.verb) {
    case 'refused':
      return command.reply
    case 'EHLO':
    case 'HELO':
      resetSession(session)
      session.client = { ...session.client, helo: printable(command.name), esmtp: command.verb === 'EHLO' }
      return command.verb === 'HELO' ? replies.hello(hostname) : replies.extendedHello(hostname, limits.messageSize)
    case 'MAIL':
      return mail(session, command)
    case 'RCPT':
      return rcpt(session, command.path)
    case 'DATA':
      return data(session)
    case 'RSET':
      resetSession(session)
      return replies.ok
    case 'NOOP':
      return replies.ok
    case 'QUIT':
      return replies.goodbye
    case 'VRFY':
      return replies.cannotVerify
    case 'EXPN':
      return replies.notImplemented
    case 'HELP':
      return replies.help
  }
}

/** The name goes into headers, logs and pages: what no host name has is made harmless here, once. */
function printable(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9._:[\]-]/g, '?')
}

function mail(session: Session, command: Extract<Command, { verb: 'MAIL' }>): MaybePromise<Reply> {
  const { settings, client } = session
  if (client.helo === '') return replies.helloFirst
  if (session.transaction !== undefined) return replies.nestedMail
  const { path, size, body, smtputf8 } = command
  const queueId = mintQueueId(settings.now())
  const sender = parseReversePath(path, smtputf8)
  if (!sender.ok) return reject(session, 'mail', queueId, replies.addressRefused(sender.problem, 'reversePath'))
  const reversePath = sender.address
  if (size > settings.limits.messageSize) {
    return reject(session, 'mail', queueId, tooLarge(settings.limits.messageSize), { reversePath, size })
  }
  const ask = () => settings.policy.sender?.(client, reversePath)
  return when(objectionOf(ask, deadlineFor(settings, 'sender')), objection => {
    if (objection !== undefined) return reject(session, 'mail', queueId, objection, { reversePath })
    session.transaction = { queueId, reversePath, smtputf8, body, recipients: new Set() }
    return inTransaction(queueId, replies.senderOk)
  })
}

function rcpt(session: Session, path: string): MaybePromise<Reply> {
  const { settings, client, transaction } = session
  if (transaction === undefined) return replies.mailFirst
  const { queueId, reversePath, recipients } = transaction
  const { relay, limits, policy } = settings
  const refuse = (reply: Reply, recipient?: string) =>
    reject(session, 'rcpt', queueId, reply, { reversePath, ...(recipient !== undefined && { recipient }) })

  const parsed = parseForwardPath(path, transaction.smtputf8)
  if (!parsed.ok) return refuse(replies.addressRefused(parsed.problem, 'forwardPath'))
  const recipient = parsed.address === 'postmaster' ? relay.postmaster : parsed.address
  if (recipient === undefined || !mayRelay(relay, client.address, recipient)) {
    return refuse(replies.relayDenied, parsed.address)
  }
  if (recipients.has(recipient)) return inTransaction(queueId, replies.recipientOk)
  if (recipients.size >= limits.recipients) return inTransaction(queueId, replies.tooManyRecipients)
  const ask = () => policy.recipient?.(client, reversePath, recipient)
  return when(objectionOf(ask, deadlineFor(settings, 'recipient')), objection => {
    if (objection !== undefined) return refuse(objection, recipient)
    recipients.add(recipient)
    return inTransaction(queueId, replies.recipientOk)
  })
}

function data(session: Session): MaybePromise<Reply> {
  const { settings, transaction } = session
  if (transaction === undefined) return replies.mailFirst
  const { queueId, recipients } = transaction
  if (recipients.size === 0) return inTransaction(queueId, replies.noRecipients)
  const { limits, bareNewline, log, backends } = settings
  const begin = () => {
    const { messageSize, timeouts } = limits
    const options = { queueId, messageSize, bareNewline, answerTimeout: timeouts.answer, log }
    session.reception = startReception(backends.messages.draft(queueId), options)
    return replies.goAhead
  }
  return when(answerOf(begin, deadlineFor(settings, 'draft')), reply => inTransaction(queueId, reply))
}

/** Refuses a step of a transaction: one line in the log, one count, and the queue id in the reply. */
function reject(
  { settings, client }: Session,
  stage: 'mail' | 'rcpt',
  queueId: string,
  refusal: Reply,
  about: Readonly<Record<string, unknown>> = {},
): Reply {
  const reply = inTransaction(queueId, refusal)
  if (reply.code >= 500) settings.metrics.messagesRejected.inc(stage)
  const event = reply.code >= 500 ? 'rejected' : 'deferred'
  settings.log.info({ queueId, client: client.address, stage, ...about, reply: replyText(refusal) }, event)
  return reply
}
