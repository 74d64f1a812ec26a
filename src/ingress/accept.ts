// Accepting a message: content, record and scan job on stable storage, and only then 250. From there on it is ours.
// Who is to look at the content before that sees it sealed; what they refuse is never kept.
// Anything that fails before means 451 and a draft given back: the client still has the message and tries again.
import type { AcceptedMessage } from '../mail/record.ts'
import { type Reply, reply, replyForError, replyText, tryAgainLater } from '../mail/reply.ts'
import type { HeaderField } from '../mail/verdict.ts'
import { crashPoint } from '../platform/crash-point.ts'
import type { Log } from '../platform/log.ts'
import type { Backends } from '../storage/backends.ts'
import type { Content, Draft } from '../storage/message-store.ts'

export type AcceptBackends = Pick<Backends, 'records' | 'scanJobs' | 'together'>

/** The end of a transaction; `plugin` and `why` say whose decision a refusal was. */
export type Ending = Readonly<{ reply: Reply; plugin?: string; why?: string }>

/** What was found out about a content before it is accepted. */
export type Inspection =
  | (Ending & Readonly<{ outcome: 'refused' }>)
  | Readonly<{
      outcome: 'taken'
      /** Header fields to be put in front of it. */
      tags: readonly HeaderField[]
      /** The verdict is known already: written instead of a scan job. */
      decided?: Readonly<{ writes: readonly (() => Promise<unknown>)[]; keepContent: boolean; told(): void }>
    }>

type Course = Readonly<{
  log: Log
  /** The client was answered in the meantime, or is gone: nothing is kept then, unless the commit is under way. */
  givenUp: () => boolean
  /** Rejects when it cannot tell: 451. */
  inspect?: ((content: Content) => Promise<Inspection>) | undefined
}>

/** Makes a received content durable and queues it. Resolves with 250, or with why the message was not kept; never rejects. */
export async function accept(
  draft: Draft,
  message: AcceptedMessage,
  { records, scanJobs, together }: AcceptBackends,
  { log, givenUp, inspect }: Course,
): Promise<Ending> {
  const { queueId } = message
  const accepted = reply(250, '2.0.0', `Ok: queued as ${queueId}`)
  try {
    await draft.seal()
    crashPoint('after-store')
    const found = inspect && (await inspect(draft.content()))
    if (givenUp()) return await discarded(draft, { reply: tryAgainLater }, log)
    if (found?.outcome === 'refused') return await discarded(draft, found, log)
    const recipients = message.envelope.recipients.map(({ address }) => address)
    const kept = found === undefined || found.tags.length === 0 ? message : { ...message, tags: found.tags }
    const decided = found?.decided
    const urgency = message.priority && { priority: message.priority }
    const job = { kind: 'scan', id: `${queueId}/scan/1`, queueId, recipients, attempt: 1, ...urgency } as const
    const follow = decided?.writes ?? [() => scanJobs.enqueue(job)]
    // In this order a crash between two of them, where they are not one, leaves nothing that is delivered unrecorded.
    await together(
      ...(decided?.keepContent === false ? [] : [() => draft.commit()]),
      () => records.create(kept, { event: 'accepted', at: message.acceptedAt, reply: replyText(accepted) }),
      ...follow,
    )
    decided?.told()
    if (decided?.keepContent === false) await discarded(draft, { reply: accepted }, log)
    crashPoint('after-enqueue')
    return { reply: accepted }
  } catch (error) {
    log.error({ queueId, err: error }, 'accept-failed')
    return await discarded(draft, { reply: replyForError(error) }, log)
  }
}

/** A draft that cannot be given back is the store's to sweep; the client's answer stays the same. */
async function discarded(draft: Draft, ending: Ending, log: Log): Promise<Ending> {
  await draft.discard().catch(error => log.warn({ err: error }, 'discard-failed'))
  return ending
}
