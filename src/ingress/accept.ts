// Accepting a message: content, record and scan job on stable storage, and only then 250. From there on it is ours.
// Anything that fails before means 451 and a draft given back: the client still has the message and tries again.
import type { AcceptedMessage } from '../mail/record.ts'
import { type Reply, reply, replyForError, replyText, tryAgainLater } from '../mail/reply.ts'
import { crashPoint } from '../platform/crash-point.ts'
import type { Log } from '../platform/log.ts'
import type { Backends } from '../storage/backends.ts'
import type { Draft } from '../storage/message-store.ts'

export type AcceptBackends = Pick<Backends, 'records' | 'scanJobs' | 'together'>

/**
 * Makes a received content durable and queues it for scanning. Resolves with 250, or with 451 when the message was
 * not kept; never rejects. `givenUp` tells that the client was answered in the meantime: nothing is kept then, unless
 * the commit is already under way.
 */
export async function accept(
  draft: Draft,
  message: AcceptedMessage,
  { records, scanJobs, together }: AcceptBackends,
  { log, givenUp }: Readonly<{ log: Log; givenUp: () => boolean }>,
): Promise<Reply> {
  const { queueId } = message
  const accepted = reply(250, '2.0.0', `Ok: queued as ${queueId}`)
  try {
    await draft.seal()
    crashPoint('after-store')
    if (givenUp()) return await discarded(draft, tryAgainLater, log)
    const recipients = message.envelope.recipients.map(({ address }) => address)
    // In this order a crash between two of them, where they are not one, leaves nothing that is delivered unrecorded.
    await together(
      () => draft.commit(),
      () => records.create(message, { event: 'accepted', at: message.acceptedAt, reply: replyText(accepted) }),
      () => scanJobs.enqueue({ kind: 'scan', id: `${queueId}/scan/1`, queueId, recipients, attempt: 1 }),
    )
    crashPoint('after-enqueue')
    return accepted
  } catch (error) {
    log.error({ queueId, err: error }, 'accept-failed')
    return await discarded(draft, replyForError(error), log)
  }
}

/** A draft that cannot be given back is the store's to sweep; the client's answer stays the same. */
async function discarded(draft: Draft, answer: Reply, log: Log): Promise<Reply> {
  await draft.discard().catch(error => log.warn({ err: error }, 'discard-failed'))
  return answer
}
