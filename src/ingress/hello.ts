// EHLO and HELO: who the client says it is, and what we offer it (RFC 5321 §4.1.1.1).
import type { Reply } from '../mail/reply.ts'
import type { Command } from './command.ts'
import * as replies from './replies.ts'
import { MECHANISMS } from './sasl.ts'
import { resetSession, type Session } from './session.ts'
import { XCLIENT_KEYWORD, XFORWARD_KEYWORD } from './xclient.ts'

export function hello(session: Session, { verb, name }: Extract<Command, { verb: 'EHLO' | 'HELO' }>): Reply {
  const { hostname } = session.settings
  resetSession(session)
  session.client = { ...session.client, helo: printable(name), esmtp: verb === 'EHLO' }
  return verb === 'HELO' ? replies.hello(hostname) : replies.extendedHello(hostname, extensions(session))
}

function extensions({ settings, client, mode, mayNameClients }: Session): string[] {
  const { limits, tls, login } = settings
  const secure = client.tls !== undefined
  return [
    'PIPELINING',
    `SIZE ${limits.messageSize}`,
    '8BITMIME',
    'SMTPUTF8',
    'ENHANCEDSTATUSCODES',
    'DSN',
    ...(tls && !secure ? ['STARTTLS'] : []),
    ...(mode !== 'mx' && secure && login !== undefined ? [`AUTH ${MECHANISMS.join(' ')}`] : []),
    ...(mayNameClients ? [XCLIENT_KEYWORD, XFORWARD_KEYWORD] : []),
  ]
}

/** The name goes into headers, logs and pages: what no host name has is made harmless here, once. */
function printable(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9._:[\]-]/g, '?')
}
