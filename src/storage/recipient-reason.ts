// Why a recipient is where it is, in the words of the last event that says so: for lists of recipients.
import type { TraceEvent } from '../mail/record.ts'
import type { ListedRecipient } from './record-store.ts'

export function reasonFor(events: readonly TraceEvent[], recipient: string): Pick<ListedRecipient, 'why' | 'nextHop'> {
  const event = events.findLast(one => isAbout(one, recipient))
  if (event === undefined) return {}
  const why = 'reply' in event ? event.reply : 'why' in event ? event.why : undefined
  const nextHop = 'nextHop' in event ? event.nextHop : undefined
  return { ...(why !== undefined && { why }), ...(nextHop !== undefined && { nextHop }) }
}

/** What an operator did says so only where he gave a reason. */
function isAbout(event: TraceEvent, recipient: string): boolean {
  if ('recipient' in event) return event.recipient === recipient
  if (!('recipients' in event) || event.event === 'reported' || event.event === 'in-doubt') return false
  if (event.event === 'operator' && event.why === undefined) return false
  return event.recipients.includes(recipient)
}
