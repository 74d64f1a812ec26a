// A connection that ends in the middle of a transaction: told in the log, counted, and nothing of it kept.
import { resetSession, type Session } from './session.ts'

/** `ours`: we have said our last reply before, so nobody is surprised. */
export function leaveTransaction(session: Session, { ours }: Readonly<{ ours: boolean }>): void {
  const { transaction, reception, client, settings } = session
  if (transaction !== undefined && !ours) {
    settings.metrics.connectionErrors.inc('reset')
    const stage = reception === undefined ? 'rcpt' : 'data'
    const { queueId, reversePath } = transaction
    settings.log.info(
      { queueId, client: client.address, port: client.port, helo: client.helo, stage, reversePath },
      'client-gone',
    )
  }
  resetSession(session)
}
