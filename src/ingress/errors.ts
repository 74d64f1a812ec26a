// What mistakes cost a client: from some on each answer takes a second, from more on the connection. An accepted
// message forgives them; refused recipients and failed logins, by which addresses and passwords are guessed, are not
// forgiven in a session.
import type { Reply } from '../mail/reply.ts'
import type { MaybePromise } from './answer.ts'
import * as replies from './replies.ts'
import type { Session } from './session.ts'

/** Commands that lead nowhere (NOOP, RSET, EHLO …) which are not yet mistakes; Postfix's smtpd_junk_command_limit. */
const MOST_IDLE = 100
const MOST_FAILED_LOGINS = 3
/** Milliseconds. */
const DELAY = 1000

const IDLE_COMMANDS: ReadonlySet<string> = new Set(['NOOP', 'RSET', 'EHLO', 'HELO', 'VRFY', 'EXPN', 'HELP', 'XFORWARD'])

/** As `countError`, for a command that was understood. */
export function countCommand(session: Session, verb: string, reply: Reply): MaybePromise<Reply> {
  const idle = IDLE_COMMANDS.has(verb) && ++session.idle > MOST_IDLE
  return idle || reply.code >= 500 ? countMistake(session, reply) : reply
}

/** The reply itself, late when the client makes many mistakes, or 421 when it makes too many. */
export function countError(session: Session, reply: Reply): MaybePromise<Reply> {
  return reply.code < 500 ? reply : countMistake(session, reply)
}

function countMistake(session: Session, reply: Reply): MaybePromise<Reply> {
  const { limits, metrics } = session.settings
  session.errors++
  if (session.errors > limits.errors) {
    metrics.connectionErrors.inc('errors')
    return replies.tooManyErrors
  }
  if (session.refusedRecipients > limits.refusedRecipients) {
    metrics.connectionErrors.inc('refused-recipients')
    return replies.tooManyRefused
  }
  if (session.failedLogins >= MOST_FAILED_LOGINS) return replies.tooManyLogins
  return session.errors > limits.softErrors ? slowly(reply) : reply
}

/** A message was accepted: the client does what clients do. */
export function forgiveErrors(session: Session): void {
  session.errors = 0
  session.idle = 0
}

function slowly(reply: Reply): Promise<Reply> {
  return new Promise(resolve => setTimeout(resolve, DELAY, reply))
}
