// MAIL: begins a transaction, if this client may send as this address and there is room for its message.
import { parseReversePath } from '../mail/address.ts'
import { mintQueueId } from '../mail/queue-id.ts'
import type { Reply } from '../mail/reply.ts'
import { type MaybePromise, when } from './answer.ts'
import type { Command } from './command.ts'
import { tooLarge } from './reception.ts'
import { refusalOf } from './refuse.ts'
import * as replies from './replies.ts'
import { type Session, viewOf } from './session.ts'
import { tempfailReason } from './tempfail-reason.ts'
import { inTransaction } from './transaction.ts'

export function mail(session: Session, command: Extract<Command, { verb: 'MAIL' }>): MaybePromise<Reply> {
  const { settings, client } = session
  const { limits, chain } = settings
  if (client.helo === '') return replies.helloFirst
  if (session.transaction !== undefined) return replies.nestedMail
  const { path, size, body, smtputf8, ret, envelopeId } = command
  if (command.auth && session.mode === 'mx') return replies.unsupportedParameter
  const queueId = mintQueueId(settings.now())
  const refuse = (reply: Reply, about: Readonly<Record<string, unknown>> = {}) =>
    refusalOf(session, 'mail', { queueId, reply }, about)

  const missing = missingForSubmission(session)
  if (missing !== undefined) return refuse(missing)
  const sender = parseReversePath(path, smtputf8)
  if (!sender.ok) return refuse(replies.addressRefused(sender.problem, 'reversePath'))
  const reversePath = sender.address
  if (size > limits.messageSize) return refuse(tooLarge(limits.messageSize), { reversePath, size })
  if (!maySendAs(session, reversePath)) return refuse(replies.notYourAddress, { reversePath, user: client.user })
  const pressure = settings.pressure()
  if (pressure !== undefined) {
    settings.metrics.messagesDeferredAtIngress.inc('room')
    return refuse(replies.underPressure[pressure], { reversePath })
  }

  const view = { ...viewOf(session), queueId, reversePath, recipients: [] }
  return when(chain.sender(view), ({ refusal, suspicions, headers }) => {
    if (refusal !== undefined) {
      if (refusal.reply.code < 500) settings.metrics.messagesDeferredAtIngress.inc(tempfailReason(refusal))
      return refusalOf(session, 'mail', { ...refusal, queueId }, { reversePath })
    }
    session.transaction = {
      queueId,
      reversePath,
      smtputf8,
      body,
      ...(ret !== undefined && { ret }),
      ...(envelopeId !== undefined && { envelopeId }),
      recipients: new Map(),
      suspicions: [...session.suspicions, ...suspicions],
      tags: [...session.tags, ...headers],
    }
    return inTransaction(queueId, replies.senderOk)
  })
}

/** A submission listener takes mail from users only, and passwords only over TLS (RFC 6409 §4.3, RFC 8314 §3.3). */
function missingForSubmission({ mode, client }: Session): Reply | undefined {
  if (mode === 'mx' || client.user !== undefined) return undefined
  return client.tls === undefined ? replies.startTlsFirst : replies.authenticateFirst
}

/** The null sender stands for reports of a user's own program (RFC 8098). */
function maySendAs({ settings, client, userAddresses }: Session, reversePath: string): boolean {
  if (!settings.ownAddressesOnly || client.user === undefined || reversePath === '') return true
  const wanted = reversePath.toLowerCase()
  return [client.user, ...(userAddresses ?? [])].some(address => address.toLowerCase() === wanted)
}
