// One mail transaction: what MAIL and RCPT said so far. Begins with an accepted MAIL, ends with the reply after the dot,
// RSET, EHLO or the end of the session. Its queue id is in every reply that belongs to it.
import type { Envelope } from '../mail/envelope.ts'
import { type Reply, reply } from '../mail/reply.ts'
import type { HeaderField } from '../mail/verdict.ts'
import type { RcptParameters } from './command.ts'

export type Transaction = Omit<Envelope, 'recipients'> &
  Readonly<{
    queueId: string
    /** Each address once, in the order of the first RCPT, with what that said of reports. */
    recipients: Map<string, RcptParameters>
    /** What plugins found odd, and the header fields that they want in front of the message. */
    suspicions: string[]
    tags: HeaderField[]
  }>

export function envelopeOf({ reversePath, smtputf8, body, ret, envelopeId, recipients }: Transaction): Envelope {
  return {
    reversePath,
    smtputf8,
    body,
    ...(ret !== undefined && { ret }),
    ...(envelopeId !== undefined && { envelopeId }),
    recipients: Array.from(recipients, ([address, dsn]) => ({ address, ...dsn })),
  }
}

/** The same reply naming the transaction, so that a client's log and ours can be laid side by side. */
export function inTransaction(queueId: string, { code, enhancedCode, text }: Reply): Reply {
  return reply(code, enhancedCode, `${text} (${queueId})`)
}
