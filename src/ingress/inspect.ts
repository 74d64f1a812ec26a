// Who looks at a content before it is accepted: the plugins' message hooks, then, with scan.wait, the scanners.
import type { AcceptedMessage } from '../mail/record.ts'
import type { Content } from '../storage/message-store.ts'
import type { Inspection } from './accept.ts'
import { type Session, transactionView } from './session.ts'
import type { Transaction } from './transaction.ts'

/** Undefined when nobody does: accepting then costs nothing more. */
export function inspectionFor(session: Session, transaction: Transaction, message: AcceptedMessage, head: Buffer) {
  const { chain, beforeQueue } = session.settings
  if (!chain.asks('message') && beforeQueue === undefined && transaction.tags.length === 0) return undefined

  return async function inspect({ size, chunks }: Content): Promise<Inspection> {
    const { refusal, headers } = await chain.message(transactionView(session, transaction), { size, head, chunks })
    if (refusal !== undefined) return { outcome: 'refused', ...refusal }
    const tags = [...transaction.tags, ...headers]
    if (beforeQueue === undefined) return { outcome: 'taken', tags }
    const answer = await beforeQueue({ ...message, tags }, { size, chunks })
    switch (answer.outcome) {
      case 'reject':
      case 'defer':
        return { ...answer, outcome: 'refused' }
      case 'accept':
        return { outcome: 'taken', tags, decided: answer }
      case 'queue':
        session.settings.log.info({ queueId: message.queueId, why: answer.why }, 'scan-queued')
        return { outcome: 'taken', tags }
    }
  }
}
