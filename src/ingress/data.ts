// DATA: 354 and the reception of a content, for a transaction that has recipients.
import type { Reply } from '../mail/reply.ts'
import { answerOf, type MaybePromise, when } from './answer.ts'
import { startReception } from './reception.ts'
import * as replies from './replies.ts'
import { deadlineFor, type Session } from './session.ts'
import { inTransaction } from './transaction.ts'

export function data(session: Session): MaybePromise<Reply> {
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
