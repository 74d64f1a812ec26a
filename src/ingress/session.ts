// An SMTP session: the dialogue from greeting to QUIT, as commands in and replies out (RFC 5321 §4). Knows no sockets.
// Each command gets exactly one reply, at once or as a promise, and is asked only after the one before was answered;
// 221 and 421 end the session, 354 starts a reception, `startTls` a handshake. A fault while deciding costs its own
// command a 451, no more. What the commands do is in a file each: hello, mail, rcpt, data, auth, xclient.
import type { Login } from '../auth/login.ts'
import type { Client } from '../mail/envelope.ts'
import type { PrioritySettings } from '../mail/priority.ts'
import type { Reply } from '../mail/reply.ts'
import type { HeaderField } from '../mail/verdict.ts'
import type { Log } from '../platform/log.ts'
import type { Metrics } from '../platform/metrics.ts'
import type { Chain } from '../plugins/chain.ts'
import type { ListenerMode, SessionView, TransactionView } from '../plugins/plugin.ts'
import type { Backends } from '../storage/backends.ts'
import type { Deadline, MaybePromise } from './answer.ts'
import { when } from './answer.ts'
import { continueAuth, startAuth } from './auth.ts'
import type { BeforeQueueScan } from './before-queue.ts'
import { type Command, parseCommand } from './command.ts'
import { data } from './data.ts'
import { countCommand } from './errors.ts'
import { hello } from './hello.ts'
import type { Limits } from './limits.ts'
import { mail } from './mail.ts'
import { rcpt } from './rcpt.ts'
import type { BareNewline, Reception } from './reception.ts'
import { refusalOf } from './refuse.ts'
import type { RelayControl } from './relay-control.ts'
import * as replies from './replies.ts'
import type { SaslStep } from './sasl.ts'
import type { TlsFacts } from './secure.ts'
import type { Transaction } from './transaction.ts'
import type { XforwardAttributes } from './xclient.ts'
import { nameClient } from './xclient-command.ts'

/** What all sessions share. */
export type SessionSettings = Readonly<{
  hostname: string
  limits: Limits
  relay: RelayControl
  chain: Chain
  bareNewline: BareNewline
  priority?: PrioritySettings | undefined
  backends: Pick<Backends, 'messages' | 'records' | 'scanJobs' | 'together'>
  /** STARTTLS is offered. */
  tls: boolean
  /** Absent: nobody can log in. */
  login?: Login | undefined
  /** Users send only as addresses of their own. */
  ownAddressesOnly: boolean
  /** True for clients that may say XCLIENT and XFORWARD. */
  mayNameClients(address: string): boolean
  /** Why no mail can be taken now; undefined when it can. */
  pressure(): Pressure | undefined
  /** Asks the scanners while the client waits; absent: mail is scanned after the 250. */
  beforeQueue?: BeforeQueueScan | undefined
  log: Log
  metrics: Metrics
  /** Milliseconds since 1970. */
  now: () => number
}>

export type Pressure = 'queue' | 'disk'

export type Session = {
  readonly settings: SessionSettings
  readonly mode: ListenerMode
  /** May say XCLIENT: the address of the connection itself counts, not one that was named. */
  readonly mayNameClients: boolean
  /** `helo` is '' until the client said it. */
  client: Client
  /** Addresses of the authenticated user, where they are known. */
  userAddresses: readonly string[] | undefined
  /** An AUTH exchange that waits for the client's next line. */
  sasl: Extract<SaslStep, { kind: 'challenge' }> | undefined
  /** What the last AUTH named; '' before it. */
  mechanism: string
  /** STARTTLS was answered with 220: what comes next is the handshake. */
  startTls: boolean
  transaction: Transaction | undefined
  /** Set between 354 and the end of DATA. */
  reception: Reception | undefined
  /** Of the connect hooks; every transaction begins with them. */
  suspicions: readonly string[]
  tags: readonly HeaderField[]
  /** Refused commands and recipients since the last accepted message. */
  errors: number
  /** Commands that lead nowhere since the last accepted message: NOOP, RSET, EHLO … */
  idle: number
  refusedRecipients: number
  failedLogins: number
  /** What a relay said about the origin of the next message (XFORWARD). */
  forwarded: XforwardAttributes | undefined
  /** The connection is closed: nobody hears a reply. */
  gone: boolean
  /** The client has closed its side, and nothing that it said is left to be answered. */
  finished: boolean
  readonly summary: Summary
}

/** For the one line at the end. `commands`: how often each was said, and how often it was not refused. */
export type Summary = {
  commands: Map<string, { good: number; all: number }>
  accepted: number
  refused: number
  tls?: TlsFacts
}

export type Peer = Readonly<{ address: string; port: number; mode: ListenerMode }>

export function openSession(settings: SessionSettings, { address, port, mode }: Peer): Session {
  return {
    settings,
    mode,
    mayNameClients: settings.mayNameClients(address),
    client: { address, port, helo: '', esmtp: false },
    userAddresses: undefined,
    sasl: undefined,
    mechanism: '',
    startTls: false,
    transaction: undefined,
    reception: undefined,
    suspicions: [],
    tags: [],
    errors: 0,
    idle: 0,
    refusedRecipients: 0,
    failedLogins: 0,
    forwarded: undefined,
    gone: false,
    finished: false,
    summary: { commands: new Map(), accepted: 0, refused: 0 },
  }
}

/** 220, or what a plugin has against this client, as 554 or 421 (RFC 5321 §3.1). */
export function greet(session: Session): MaybePromise<Reply> {
  const { chain, hostname } = session.settings
  return when(chain.connect(viewOf(session)), outcome => {
    session.suspicions = outcome.suspicions
    session.tags = outcome.headers
    const { refusal } = outcome
    if (refusal === undefined) return replies.greeting(hostname)
    const reply = { ...refusal.reply, code: refusal.reply.code < 500 ? 421 : 554 }
    return refusalOf(session, 'connect', { ...refusal, reply })
  })
}

/** The reply to one command line (without its CRLF). */
export function answerLine(session: Session, line: Buffer): MaybePromise<Reply> {
  const { sasl } = session
  if (sasl !== undefined) return when(continueAuth(session, sasl, line), reply => answered(session, 'AUTH', reply))
  const command = parseCommand(line)
  return when(answer(session, command), reply => answered(session, command.verb, reply))
}

/** Ends what is in progress without a trace, as RSET does; also when the client is gone. */
export function resetSession(session: Session): void {
  session.reception?.abandon()
  session.reception = undefined
  session.transaction = undefined
  session.forwarded = undefined
}

/** The handshake is done: what was said before it is forgotten (RFC 3207 §4.2). */
export function secureSession(session: Session, facts: TlsFacts): void {
  resetSession(session)
  session.startTls = false
  session.summary.tls = facts
  const { address, port } = session.client
  const { log, metrics } = session.settings
  metrics.tlsConnections.inc(facts.version === 'TLSv1.2' ? 'TLSv1.2' : 'TLSv1.3')
  log.debug({ client: address, port, ...facts }, 'tls')
  // As in trace headers.
  const tls = `${facts.version} ${facts.cipher}`
  session.client = { address, port, helo: '', esmtp: false, tls }
}

export function deadlineFor({ limits, log }: SessionSettings, what: string): Deadline {
  return { milliseconds: limits.timeouts.answer, log, what }
}

/** May send to any domain. */
export function isTrusted({ settings, client }: Session): boolean {
  return client.user !== undefined || settings.relay.trusts(client.address)
}

export function viewOf(session: Session): SessionView {
  const { client, mode, suspicions } = session
  return { client, mode, trusted: isTrusted(session), suspicions }
}

export function transactionView(session: Session, transaction: Transaction): TransactionView {
  const { queueId, reversePath, recipients, suspicions } = transaction
  return { ...viewOf(session), queueId, reversePath, recipients: [...recipients.keys()], suspicions }
}

function answer(session: Session, command: Command): MaybePromise<Reply> {
  switch (command.verb) {
    case 'refused':
      return command.reply
    case 'EHLO':
    case 'HELO':
      return hello(session, command)
    case 'STARTTLS':
      return startTls(session)
    case 'AUTH':
      return startAuth(session, command)
    case 'MAIL':
      return mail(session, command)
    case 'RCPT':
      return rcpt(session, command)
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
    case 'XCLIENT':
    case 'XFORWARD':
      return session.mayNameClients ? nameClient(session, command) : replies.notRecognized
  }
}

/** RFC 3207 §4. */
function startTls(session: Session): Reply {
  if (!session.settings.tls) return replies.notImplemented
  if (session.client.tls !== undefined) return replies.alreadyTls
  session.startTls = true
  return replies.readyForTls
}

function answered(session: Session, verb: string, reply: Reply): MaybePromise<Reply> {
  // An exchange counts when it is over.
  if (session.sasl !== undefined) return reply
  const { summary } = session
  const count = summary.commands.get(verb) ?? { good: 0, all: 0 }
  count.all++
  if (reply.code < 400) count.good++
  summary.commands.set(verb, count)
  return countCommand(session, verb, reply)
}
