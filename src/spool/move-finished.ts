// Brings the stories of messages that have come to their end from one home to another, so that `elemta trace` and the ledger
// know them there. A copy: nothing is taken away, and it may be broken off and done again. What was moved from home to
// home while it waited is passed over: its story goes on at the target.
import { isFinal, type MessageRecord, RECIPIENT_STATES } from '../mail/record.ts'
import type { Backends } from '../storage/backends.ts'
import { MOVED } from './move-message.ts'

export type FinishedParts = Readonly<{ source: Pick<Backends, 'records'>; target: Pick<Backends, 'records'> }>

/** What the target has now that it did not have. */
export type Copied = Readonly<{ messages: number; recipients: number }>

const FINAL = RECIPIENT_STATES.filter(isFinal)
const PAGE = 200
/** Written one by one where several writes are not one. */
const EVENTS_AT_ONCE = 20

/** Rejects where a home fails: what was copied stays. */
export async function copyFinished({ source, target }: FinishedParts): Promise<Copied> {
  const copied = { messages: 0, recipients: 0 }
  for (let after: string | undefined; ; ) {
    const query = { limit: PAGE, ...(after !== undefined && { after }) }
    const page = await source.records.listRecipients({ states: FINAL }, query)
    for (const queueId of new Set(page.recipients.map(recipient => recipient.queueId))) {
      const record = await source.records.get(queueId)
      if (record === undefined || !isStoryOfItsOwn(record)) continue
      const there = await target.records.get(queueId)
      if (there?.recipients.every(({ state }) => isFinal(state))) continue
      await copyStory(record, there, target)
      copied.messages++
      copied.recipients += record.recipients.length
    }
    after = page.next
    if (after === undefined) return copied
  }
}

function isStoryOfItsOwn({ recipients, events }: MessageRecord): boolean {
  return (
    recipients.every(({ state }) => isFinal(state)) &&
    !events.some(event => event.event === 'operator' && event.action === MOVED)
  )
}

/** Its recipients come to their end last: until then an earlier run has not finished it. */
async function copyStory(
  { message, recipients, events }: MessageRecord,
  there: MessageRecord | undefined,
  { records }: FinishedParts['target'],
): Promise<void> {
  const { queueId } = message
  if (there === undefined) await records.create(message, events[0]!)
  for (let from = there?.events.length ?? 1; from < events.length; from += EVENTS_AT_ONCE) {
    await records.note(queueId, events.slice(from, from + EVENTS_AT_ONCE), [])
  }
  await records.note(queueId, [], recipients)
}
