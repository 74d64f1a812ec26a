// RCPT: relay control first, which no plugin can open; then the limits, then the plugins.
import { parseForwardPath } from '../mail/address.ts'
import type { Reply } from '../mail/reply.ts'
import type { Refusal } from '../plugins/chain.ts'
import { type MaybePromise, when } from './answer.ts'
import type { Command } from './command.ts'
import { refusalOf } from './refuse.ts'
import { mayRelay } from './relay-control.ts'
import * as replies from './replies.ts'
import { type Session, transactionView } from './session.ts'
import { inTransaction } from './transaction.ts'

export function rcpt(session: Session, { path, dsn }: Extract<Command, { verb: 'RCPT' }>): MaybePromise<Reply> {
  const { settings, client, transaction } = session
  if (transaction === undefined) return replies.mailFirst
  const { queueId, reversePath, recipients } = transaction
  const { relay, limits, chain } = settings

  const parsed = parseForwardPath(path, transaction.smtputf8)
  if (!parsed.ok) return refuse({ reply: replies.addressRefused(parsed.problem, 'forwardPath') })
  const recipient = parsed.address === 'postmaster' ? relay.postmaster : parsed.address
  const allowed = recipient !== undefined && mayRelay(relay, client, recipient)
  if (!allowed) return refuse({ reply: replies.relayDenied }, parsed.address)
  if (recipients.has(recipient)) return inTransaction(queueId, replies.recipientOk)
  if (recipients.size >= limits.recipients) return inTransaction(queueId, replies.tooManyRecipients)
  if (!chain.asks('recipient')) return take(recipient)
  return when(chain.recipient(transactionView(session, transaction), recipient), ({ refusal, suspicions, headers }) => {
    // What is said of each of a hundred recipients is said once of the message.
    const { suspicions: known, tags } = transaction
    known.push(...suspicions.filter(why => !known.includes(why)))
    tags.push(...headers.filter(({ name, value }) => !tags.some(tag => tag.name === name && tag.value === value)))
    return refusal === undefined ? take(recipient) : refuse(refusal, recipient)
  })

  function take(address: string): Reply {
    recipients.set(address, dsn)
    return inTransaction(queueId, replies.recipientOk)
  }

  function refuse(refusal: Pick<Refusal, 'reply'> & Partial<Refusal>, address?: string): Reply {
    if (refusal.reply.code >= 500) session.refusedRecipients++
    const about = { reversePath, ...(address !== undefined && { recipient: address }) }
    return refusalOf(session, 'rcpt', { ...refusal, queueId }, about)
  }
}
