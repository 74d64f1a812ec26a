// XCLIENT and XFORWARD from a relay of ours: XCLIENT makes the session that of the client it names, as if it had just
// connected; XFORWARD is only written down.
import type { Reply } from '../mail/reply.ts'
import type { MaybePromise } from './answer.ts'
import type { Command } from './command.ts'
import * as replies from './replies.ts'
import { greet, resetSession, type Session } from './session.ts'
import { parseXclient, parseXforward } from './xclient.ts'

/** In no network, and nobody's: for a client whose address the relay does not know. */
const NO_ADDRESS = '0.0.0.0'

export function nameClient(
  session: Session,
  { verb, argument }: Extract<Command, { verb: 'XCLIENT' | 'XFORWARD' }>,
): MaybePromise<Reply> {
  if (session.transaction !== undefined) return replies.nestedMail
  if (verb === 'XFORWARD') {
    const parsed = parseXforward(argument)
    if ('refused' in parsed) return parsed.refused
    session.forwarded = { ...session.forwarded, ...parsed.attributes }
    return replies.ok
  }
  const parsed = parseXclient(argument)
  if ('refused' in parsed) return parsed.refused
  const { attributes } = parsed
  resetSession(session)
  session.userAddresses = undefined
  const { address, port, tls } = session.client
  session.client = {
    address: 'address' in attributes ? (attributes.address ?? NO_ADDRESS) : address,
    port: attributes.port ?? port,
    helo: '',
    esmtp: false,
    ...(tls !== undefined && { tls }),
    ...(attributes.login !== undefined && { user: attributes.login }),
  }
  session.settings.log.debug({ client: session.client.address, relay: address }, 'client-named')
  return greet(session)
}
