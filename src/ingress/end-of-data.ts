// What follows the final dot: the message is refused, or made durable and accepted. One reply, one line in the log.
import { summariseHeader } from '../mail/header.ts'
import { priorityOf } from '../mail/priority.ts'
import { type Reply, tryAgainLater } from '../mail/reply.ts'
import { accept, type Ending } from './accept.ts'
import { answerOf, type MaybePromise, when } from './answer.ts'
import { forgiveErrors } from './errors.ts'
import { inspectionFor } from './inspect.ts'
import type { Reception } from './reception.ts'
import { refusalOf } from './refuse.ts'
import { loop } from './replies.ts'
import { deadlineFor, type Session } from './session.ts'
import { tempfailReason } from './tempfail-reason.ts'
import { envelopeOf, type Transaction } from './transaction.ts'

/** More `Received` fields than this mean a loop (RFC 5321 §6.3; Postfix's hopcount_limit). */
const MOST_HOPS = 50

/** The reply to the whole message. The transaction is over, whatever it says. */
export function answerMessage(session: Session): MaybePromise<Reply> {
  const { reception, transaction } = session
  session.reception = undefined
  session.transaction = undefined
  if (reception === undefined || transaction === undefined) return tryAgainLater
  return when(
    when(reception.room(), () => judge(session, reception, transaction)),
    reply => {
      session.forwarded = undefined
      return reply
    },
  )
}

function judge(session: Session, reception: Reception, transaction: Transaction): MaybePromise<Reply> {
  const { settings, client, summary, forwarded } = session
  const { draft } = reception
  const { queueId, reversePath, recipients } = transaction
  const { log, metrics, backends, now } = settings
  const started = performance.now()
  const about = { reversePath, recipients: recipients.size }
  if (reception.refusal !== undefined) return refuse({ reply: reception.refusal })
  const { hopCount, messageId, bulk } = summariseHeader(draft.head)
  if (hopCount > MOST_HOPS) {
    reception.abandon()
    return refuse({ reply: loop })
  }

  const { size } = draft
  const envelope = envelopeOf(transaction)
  const priority = settings.priority && priorityOf({ size, envelope, client, bulk }, settings.priority)
  const message = {
    ...{ queueId, acceptedAt: now(), client, envelope, size },
    ...(messageId !== undefined && { messageId }),
    ...(priority !== undefined && priority !== 'normal' && { priority }),
  }
  const inspect = inspectionFor(session, transaction, message, draft.head)
  let answered = false
  let ending: Ending | undefined
  // Who closes its side during a long look is one that has lost patience: it sends the message again.
  const givenUp = () => answered || session.gone || (inspect !== undefined && session.finished)
  const ask = async () => {
    ending = await accept(draft, message, backends, { log, givenUp, inspect })
    return ending.reply
  }
  return when(answerOf(ask, deadlineFor(settings, `accept ${queueId}`)), reply => {
    answered = true
    if (reply.code >= 400) return refuse(ending ?? { reply })
    forgiveErrors(session)
    summary.accepted++
    metrics.messagesReceived.inc()
    metrics.recipientsAccepted.inc(recipients.size)
    metrics.messageSize.observe(size)
    metrics.acceptDuration.observe((performance.now() - started) / 1000, { queueId })
    const { address, port, helo, esmtp, user, tls } = client
    const who = {
      client: address,
      port,
      helo,
      esmtp,
      ...(user !== undefined && { user }),
      ...(tls !== undefined && { tls }),
      ...(forwarded !== undefined && { forwarded }),
    }
    log.info({ queueId, ...who, ...about, size, messageId }, 'accepted')
    return reply
  })

  function refuse(refused: Ending): Reply {
    if (refused.reply.code < 500)
      metrics.messagesDeferredAtIngress.inc(session.gone ? 'other' : tempfailReason(refused))
    return refusalOf(session, 'data', { ...refused, queueId }, about)
  }
}
