// What follows the final dot: the message is refused, or made durable and accepted. One reply, one line in the log.
import { summariseHeader } from '../mail/header.ts'
import { type Reply, replyText, tryAgainLater } from '../mail/reply.ts'
import { accept } from './accept.ts'
import { answerOf, type MaybePromise, when } from './answer.ts'
import type { Reception } from './reception.ts'
import { loop } from './replies.ts'
import { deadlineFor, type Session } from './session.ts'
import { envelopeOf, inTransaction, type Transaction } from './transaction.ts'

/** More `Received` fields than this mean a loop (RFC 5321 §6.3; Postfix's hopcount_limit). */
const MOST_HOPS = 50

/** The reply to the whole message. The transaction is over, whatever it says. */
export function answerMessage(session: Session): MaybePromise<Reply> {
  const { reception, transaction } = session
  session.reception = undefined
  session.transaction = undefined
  if (reception === undefined || transaction === undefined) return tryAgainLater
  return when(reception.room(), () => judge(session, reception, transaction))
}

function judge(session: Session, reception: Reception, transaction: Transaction): MaybePromise<Reply> {
  const { settings, client } = session
  const { draft } = reception
  const { queueId, reversePath } = transaction
  const { log, metrics, backends, now } = settings
  const started = performance.now()
  const about = { queueId, client: client.address, reversePath, recipients: transaction.recipients.size }
  if (reception.refusal !== undefined) return refuse(reception.refusal)
  const { hopCount, messageId } = summariseHeader(draft.head)
  if (hopCount > MOST_HOPS) {
    reception.abandon()
    return refuse(loop)
  }

  const { size } = draft
  const envelope = envelopeOf(transaction)
  const message = { queueId, acceptedAt: now(), client, envelope, size, ...(messageId !== undefined && { messageId }) }
  let answered = false
  const ask = () => accept(draft, message, backends, { log, givenUp: () => answered })
  return when(answerOf(ask, deadlineFor(settings, `accept ${queueId}`)), reply => {
    answered = true
    if (reply.code >= 400) return refuse(reply)
    session.errors = 0
    metrics.messagesReceived.inc()
    metrics.recipientsAccepted.inc(about.recipients)
    metrics.messageSize.observe(size)
    metrics.acceptDuration.observe((performance.now() - started) / 1000)
    log.info({ ...about, size, messageId }, 'accepted')
    return reply
  })

  function refuse(refusal: Reply): Reply {
    if (refusal.code >= 500) metrics.messagesRejected.inc('data')
    else metrics.messagesDeferredAtIngress.inc()
    log.info({ ...about, reply: replyText(refusal) }, refusal.code >= 500 ? 'rejected' : 'deferred')
    return inTransaction(queueId, refusal)
  }
}
