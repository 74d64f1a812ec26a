// What one message's items say, folded or not: read by one query, consistently, whatever it is wanted for.
import type { Deferral } from '../mail/job.ts'
import type { AcceptedMessage, MessageRecord, RecipientState, TraceEvent } from '../mail/record.ts'
import { acceptanceIn, foldedIn, toldIn } from './folded-item-dynamodb.ts'
import { unpack } from './packed-text.ts'
import { distinctRecipients } from './record-items-dynamodb.ts'
import { eventAtOf, partitionOf, recipientOf } from './record-keys-dynamodb.ts'
import type { Key, Table } from './table-dynamodb.ts'

export type Story = Readonly<{
  message: AcceptedMessage | undefined
  accepted: TraceEvent | undefined
  states: ReadonlyMap<string, RecipientState>
  /** All but the first. */
  events: readonly TraceEvent[]
  deferrals: readonly Deferral[]
  jobs: number
  keys: readonly Key[]
}>

export async function readStory(table: Table, queueId: string): Promise<Story> {
  const items = await table.query({ partition: partitionOf(queueId) })
  const of = (kind: string) => items.filter(({ sk }) => sk.startsWith(kind))
  const [message] = of('M')
  const folded = message && foldedIn(message)
  const acceptance = message && acceptanceIn(message)
  const told = [
    ...(message === undefined ? [] : toldIn(message)),
    ...of('E#').map(item => ({ at: eventAtOf(item), doc: unpack(item.doc) })),
  ].toSorted((a, b) => (a.at < b.at ? -1 : 1))
  return {
    message: acceptance?.message,
    accepted: acceptance?.accepted,
    states: folded?.states ?? new Map(of('R#').map(item => [recipientOf(item), item.state as RecipientState])),
    events: told.flatMap(({ doc }) => JSON.parse(doc) as TraceEvent[]),
    deferrals: of('D#').map(item => JSON.parse(String(item.doc)) as Deferral),
    jobs: of('J#').length + (folded?.work === undefined ? 0 : 1),
    keys: items.map(({ pk, sk }) => ({ pk, sk })),
  }
}

/** Recipients whose removal has begun are left out. */
export function recordIn({ message, accepted, states, events }: Story): MessageRecord | undefined {
  if (message === undefined || accepted === undefined) return undefined
  const recipients = distinctRecipients(message).flatMap(recipient => {
    const state = states.get(recipient)
    return state === undefined ? [] : [{ recipient, state }]
  })
  return { message, recipients, events: [accepted, ...events] }
}
