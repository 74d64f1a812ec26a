// Refusing a step: one line in the log that says who, what and why, one count, and the reply that the client hears.
import { type Reply, replyText } from '../mail/reply.ts'
import type { Session } from './session.ts'
import { inTransaction } from './transaction.ts'

export type Stage = 'connect' | 'mail' | 'rcpt' | 'data'

type Refused = Readonly<{
  reply: Reply
  /** Absent before there is a transaction. */
  queueId?: string | undefined
  /** Whose decision it was, and its reason where that is not for the client. */
  plugin?: string
  why?: string
}>

/** The reply to give, with the queue id where there is one. `about` is told in the log. */
export function refusalOf(
  session: Session,
  stage: Stage,
  { reply, queueId, plugin, why }: Refused,
  about: Readonly<Record<string, unknown>> = {},
): Reply {
  const { settings, client, summary, forwarded } = session
  const final = reply.code >= 500
  if (final) settings.metrics.messagesRejected.inc(stage)
  summary.refused++
  const line = {
    ...(queueId !== undefined && { queueId }),
    client: client.address,
    port: client.port,
    helo: client.helo,
    esmtp: client.esmtp,
    stage,
    ...(forwarded !== undefined && { forwarded }),
    ...about,
    reply: replyText(reply),
    ...(plugin !== undefined && { plugin }),
    ...(why !== undefined && why !== reply.text && { why }),
  }
  settings.log.info(line, final ? 'rejected' : 'deferred')
  return queueId === undefined ? reply : inTransaction(queueId, reply)
}
