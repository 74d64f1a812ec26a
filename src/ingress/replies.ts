// What a session says, in one place (RFC 5321 §4.2, RFC 3463). The texts are public: they name no inner workings.
import type { PathProblem } from '../mail/address.ts'
import { type Reply, reply } from '../mail/reply.ts'

export const ok = reply(250, '2.0.0', 'Ok')
export const goodbye = reply(221, '2.0.0', 'Bye')
export const cannotVerify = reply(252, '2.0.0', 'Send mail and see: addresses are not verified here')
export const help = reply(214, '2.0.0', 'EHLO HELO MAIL RCPT DATA RSET NOOP QUIT, see RFC 5321')
export const senderOk = reply(250, '2.1.0', 'Ok')
export const recipientOk = reply(250, '2.1.5', 'Ok')
export const goAhead = reply(354, '', 'End data with <CR><LF>.<CR><LF>')

export const notImplemented = reply(502, '5.5.1', 'Command not implemented')
export const helloFirst = reply(503, '5.5.1', 'Say EHLO or HELO first')
export const mailFirst = reply(503, '5.5.1', 'Need MAIL first')
export const nestedMail = reply(503, '5.5.1', 'MAIL was said already')
export const noRecipients = reply(554, '5.5.1', 'No valid recipients')
export const relayDenied = reply(550, '5.7.1', 'Relaying denied: not a domain of this server')
export const tooManyRecipients = reply(452, '4.5.3', 'Too many recipients, send the rest in another transaction')
export const loop = reply(554, '5.4.6', 'Too many hops: the message is in a loop')
export const lineTooLong = reply(500, '5.5.2', 'Command line too long')
export const bareLfInCommand = reply(500, '5.5.2', 'Command line must end in CRLF and have no other CR or LF')
export const talkedTooEarly = reply(554, '5.5.1', 'Protocol error: talked before the greeting')

export const unsupportedParameter = reply(555, '5.5.4', 'Unsupported parameter')
export const notRecognized = reply(500, '5.5.2', 'Command not recognized')
export const alreadyTls = reply(503, '5.5.1', 'TLS is on already')
export const readyForTls = reply(220, '2.0.0', 'Ready to start TLS')
export const startTlsFirst = reply(530, '5.7.0', 'Say STARTTLS first')
export const authenticateFirst = reply(530, '5.7.0', 'Authentication required')
export const authOutOfPlace = reply(503, '5.5.1', 'AUTH was said already, or a transaction is open')
export const authenticated = reply(235, '2.7.0', 'Authentication successful')
export const loginUnavailable = reply(454, '4.7.0', 'Temporary authentication failure, try again later')
export const notYourAddress = reply(553, '5.7.1', 'Sender address is not one of this user')
export const underPressure = {
  queue: reply(451, '4.3.2', 'Too much mail is waiting here, try again later'),
  disk: reply(451, '4.3.1', 'No room to store a message now, try again later'),
} as const

/** 421 is the last reply of a connection (RFC 5321 §3.8). */
export const tooManyErrors = reply(421, '4.7.0', 'Too many errors')
export const tooManyRefused = reply(421, '4.7.0', 'Too many refused recipients')
export const tooManyLogins = reply(421, '4.7.0', 'Too many failed logins')
export const tooMuch = reply(421, '4.7.0', 'Too much unusable input')
export const timedOut = reply(421, '4.4.2', 'Timeout')
export const shuttingDown = reply(421, '4.3.2', 'Shutting down, try again later')
export const ownFault = reply(421, '4.3.0', 'Temporary trouble here, try again later')
export const tooManyConnections = reply(421, '4.7.0', 'Too many connections, try again later')

const PROBLEMS: Readonly<Record<PathProblem, Readonly<{ reversePath: Reply; forwardPath: Reply }>>> = {
  syntax: {
    reversePath: reply(501, '5.1.7', 'Bad sender address syntax'),
    forwardPath: reply(501, '5.1.3', 'Bad recipient address syntax'),
  },
  'too-long': {
    reversePath: reply(501, '5.1.7', 'Sender address too long'),
    forwardPath: reply(501, '5.1.3', 'Recipient address too long'),
  },
  'needs-smtputf8': {
    reversePath: reply(553, '5.6.7', 'Sender address is not ASCII and MAIL did not say SMTPUTF8'),
    forwardPath: reply(553, '5.6.7', 'Recipient address is not ASCII and MAIL did not say SMTPUTF8'),
  },
  routed: { reversePath: relayDenied, forwardPath: relayDenied },
}

export function addressRefused(problem: PathProblem, path: 'reversePath' | 'forwardPath'): Reply {
  return PROBLEMS[problem][path]
}

/** A greeting and the answers to HELO and EHLO carry no enhanced code (RFC 2034 §3). */
export function greeting(hostname: string): Reply {
  return reply(220, '', `${hostname} ESMTP Elemta`)
}

export function hello(hostname: string): Reply {
  return reply(250, '', hostname)
}

export function extendedHello(hostname: string, extensions: readonly string[]): Reply {
  return reply(250, '', [hostname, ...extensions].join('\n'))
}
