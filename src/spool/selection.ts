// Which queued mail an operator means: queue ids, or everything that a filter fits. Answered in pages, so that an act on
// a million messages is many short ones, and memory stays flat; a message is never divided between two pages.
import * as z from 'zod'
import { isQueueId } from '../mail/queue-id.ts'
import type { RecipientState } from '../mail/record.ts'
import type { ListedRecipient, RecipientFilter, RecordStore } from '../storage/record-store.ts'
import { OperationError } from './operation.ts'

export const QUEUE_STATES = ['queued', 'deferred', 'held'] as const

const text = () => z.string().min(1).max(1000)

export const filterShape = {
  domain: text().transform(domain => domain.toLowerCase()),
  /** The null sender is ''. */
  sender: z.string().max(1000),
  recipient: text(),
  states: z.array(z.enum(QUEUE_STATES)).min(1),
  /** Milliseconds since acceptance. */
  olderThan: z.number().min(0),
  /** A part of the next hop that the last attempt went to, and of what was said, compared without case. */
  route: text(),
  reason: text(),
}

export const filterInput = z.strictObject(filterShape).partial()

/** Ids, or a filter; `all` where the filter is to be empty. `after` goes on where an earlier answer ended. */
export const selectionInput = z.strictObject({
  ids: z.array(text()).min(1).max(1000).optional(),
  filter: filterInput.optional(),
  all: z.literal(true).optional(),
  dryRun: z.boolean().optional(),
  after: z.string().optional(),
})

export type Filter = z.output<typeof filterInput>
export type Selection = z.output<typeof selectionInput>

/** Recipients of one message that were meant. */
export type Selected = Readonly<{ queueId: string; recipients: readonly ListedRecipient[] }>

export type SelectedPage = Readonly<{ messages: readonly Selected[]; unknown: readonly string[]; next?: string }>

type Records = Pick<RecordStore, 'get' | 'listRecipients'>

/** Recipients looked at for one page. */
const PAGE = 500
/** Looked at in vain before an answer is given all the same, with where to go on. */
const LONGEST_SEARCH = 5000
const MOST_RECIPIENTS = 1_000_000
/** Sorts after every address. */
const LAST = '\u{10ffff}'

/** A page of what is meant, of recipients in one of `states`. Throws an OperationError when nothing is named. */
export async function select(
  records: Records,
  { ids, filter = {}, all, after }: Selection,
  states: readonly RecipientState[],
  now: number,
): Promise<SelectedPage> {
  if (ids !== undefined) return selectIds(records, ids, filter, states, now)
  if (all !== true && Object.values(filter).every(value => value === undefined)) {
    throw new OperationError(400, 'name queue ids or a filter, or say ALL')
  }
  const { recipients, next } = await search(records, filter, { after, limit: PAGE }, states, now)
  const last = recipients.at(-1)?.queueId
  const messages = group(recipients.filter(({ queueId }) => queueId !== last))
  if (last === undefined) return { messages: [], unknown: [], ...(next !== undefined && { next }) }
  const whole = next === undefined ? recipients : await ofMessage(records, last, filter, states, now)
  const final = { queueId: last, recipients: whole.filter(({ queueId }) => queueId === last) }
  return { messages: [...messages, final], unknown: [], ...(next !== undefined && { next: `${last} ${LAST}` }) }
}

/** A page of recipients that fit, and where the next one begins. */
export async function search(
  records: Records,
  filter: Filter,
  { after, limit }: Readonly<{ after?: string | undefined; limit: number }>,
  states: readonly RecipientState[],
  now: number,
): Promise<Readonly<{ recipients: readonly ListedRecipient[]; next?: string }>> {
  const found: ListedRecipient[] = []
  let next = after
  for (let seen = 0; seen < LONGEST_SEARCH; ) {
    const place = { limit: limit - found.length, ...(next !== undefined && { after: next }) }
    const page = await records.listRecipients(portFilter(filter, states, now), place)
    found.push(...page.recipients.filter(recipient => fits(recipient, filter)))
    next = page.next
    seen += page.recipients.length
    if (next === undefined || found.length >= limit) break
    // Whoever waits for mail goes first.
    await new Promise(resolve => setImmediate(resolve))
  }
  return { recipients: found, ...(next !== undefined && { next }) }
}

async function selectIds(
  records: Records,
  ids: readonly string[],
  filter: Filter,
  states: readonly RecipientState[],
  now: number,
): Promise<SelectedPage> {
  const messages: Selected[] = []
  const unknown: string[] = []
  for (const id of new Set(ids.map(id => id.toUpperCase()))) {
    const recipients = isQueueId(id) ? await ofMessage(records, id, filter, states, now) : []
    if (recipients.length > 0) messages.push({ queueId: id, recipients })
    else unknown.push(id)
  }
  return { messages, unknown }
}

async function ofMessage(
  records: Records,
  queueId: string,
  filter: Filter,
  states: readonly RecipientState[],
  now: number,
): Promise<readonly ListedRecipient[]> {
  const wanted = { ...portFilter(filter, states, now), queueId }
  const { recipients } = await records.listRecipients(wanted, { limit: MOST_RECIPIENTS })
  return recipients.filter(recipient => fits(recipient, filter))
}

function portFilter(
  { domain, sender, recipient, states: wanted, olderThan }: Filter,
  states: readonly RecipientState[],
  now: number,
): RecipientFilter {
  return {
    states: wanted === undefined ? states : states.filter(state => (wanted as readonly string[]).includes(state)),
    ...(domain !== undefined && { domain }),
    ...(sender !== undefined && { sender }),
    ...(recipient !== undefined && { recipient }),
    ...(olderThan !== undefined && { before: now - olderThan }),
  }
}

function fits({ why = '', nextHop = '' }: ListedRecipient, { reason, route }: Filter): boolean {
  const holds = (text: string, part: string | undefined) =>
    part === undefined || text.toLowerCase().includes(part.toLowerCase())
  return holds(why, reason) && holds(nextHop, route)
}

function group(recipients: readonly ListedRecipient[]): Selected[] {
  return [...Map.groupBy(recipients, ({ queueId }) => queueId)].map(([queueId, of]) => ({ queueId, recipients: of }))
}
