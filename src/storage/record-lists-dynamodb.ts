// Lists of recipients for operators. A page comes from the streams that have what is asked for in the order of pages, a
// stream for each shard of an index key: a round reads a little of each, goes as far as the slowest of them has come,
// reads the items found there and keeps those that fit. So a page costs what is on it and what was passed over.
// Recipients at their end are in no list: they are found by walking all messages, slow, and only when asked for.
import { domainOf } from '../mail/envelope.ts'
import { timePrefix } from '../mail/queue-id.ts'
import { isFinal, type RecipientState } from '../mail/record.ts'
import { reasonFor } from './recipient-reason.ts'
import { readStory, type Story } from './record-items-dynamodb.ts'
import { atPlace, indexOf, partitionOf, placeOf, queueIdOf, recipientOf, shardsOf } from './record-keys-dynamodb.ts'
import type { ListedRecipient, RecipientFilter, RecordStore } from './record-store.ts'
import type { Item, Table } from './table-dynamodb.ts'

/** Places (see record-keys) after one, in their order. `upTo`: nothing was passed over before it; absent at the end. */
type Piece = Readonly<{ places: readonly string[]; upTo?: string }>
type Stream = (after: string, limit: number) => Promise<Piece>

const SMALLEST_PIECE = 10

export function createRecipientLists(table: Table): Pick<RecordStore, 'listRecipients' | 'shape'> {
  const streams = streamsOf(table)
  return {
    async listRecipients(filter, { after = '', limit }) {
      const sources = streams.of(filter)
      const size = Math.max(SMALLEST_PIECE, Math.ceil((2 * limit) / Math.max(1, sources.length)))
      const rows: Item[] = []
      for (let cursor: string | undefined = after; cursor !== undefined && rows.length < limit; ) {
        const { places, upTo }: Piece = await round(sources, cursor, size)
        const items = new Map((await table.getAll(places.map(atPlace))).map(item => [placeOfItem(item), item]))
        rows.push(...places.flatMap(place => items.get(place) ?? []).filter(item => fits(item, filter)))
        cursor = upTo
      }
      const shown = rows.slice(0, limit)
      const stories = new Map<string, Story>()
      for (const queueId of new Set(shown.map(queueIdOf))) stories.set(queueId, await readStory(table, queueId))
      const recipients = shown.flatMap(item => listed(item, stories.get(queueIdOf(item))!))
      return { recipients, ...(shown.length === limit && limit > 0 && { next: placeOfItem(shown.at(-1)!) }) }
    },

    async shape(states, edges, most) {
      const shapes = new Map<string, number[]>()
      const since = edges.map(timePrefix)
      await Promise.all(
        states.flatMap(state =>
          shardsOf('work', state).map(async partition => {
            for (const { workAt } of await table.query({ index: indexOf('work'), partition })) {
              const { pk, sk } = atPlace(String(workAt))
              const domain = domainOf(recipientOf({ pk, sk }))
              const counts = shapes.get(domain) ?? new Array(edges.length + 1).fill(0)
              const age = since.findIndex(edge => queueIdOf({ pk, sk }) >= edge)
              counts[age === -1 ? edges.length : age]++
              shapes.set(domain, counts)
            }
          }),
        ),
      )
      const sum = (counts: readonly number[]) => counts.reduce((total, n) => total + n, 0)
      return [...shapes]
        .map(([domain, counts]) => ({ domain, counts }))
        .toSorted((a, b) => sum(b.counts) - sum(a.counts))
        .slice(0, most)
    },
  }
}

const placeOfItem = (item: Item) => placeOf(queueIdOf(item), recipientOf(item))

async function round(sources: readonly Stream[], after: string, size: number): Promise<Piece> {
  const pieces = await Promise.all(sources.map(source => source(after, size)))
  const [upTo] = pieces.flatMap(piece => piece.upTo ?? []).toSorted(byOctets)
  const places = [...new Set(pieces.flatMap(piece => piece.places))].toSorted(byOctets)
  if (upTo === undefined) return { places }
  return { places: places.filter(place => byOctets(place, upTo) <= 0), upTo }
}

/** As DynamoDB sorts. */
function byOctets(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function streamsOf(table: Table) {
  const inIndex =
    (name: 'work' | 'domain' | 'sender', sort: string) =>
    (key: string): Stream[] =>
      shardsOf(name, key).map(partition => async (after, limit) => {
        const items = await table.query({ index: indexOf(name), partition, after, limit })
        const all = items.map(item => String(item[sort]))
        const upTo = items.length === limit ? { upTo: all.at(-1)! } : {}
        return { places: all, ...upTo }
      })
  const byState = inIndex('work', 'workAt')
  const byDomain = inIndex('domain', 'domainAt')
  const bySender = inIndex('sender', 'senderAt')

  async function placesOf(queueId: string, after: string): Promise<string[]> {
    const items = await table.query({ partition: partitionOf(queueId), prefix: 'R#' })
    return items.map(placeOfItem).filter(place => byOctets(place, after) > 0)
  }
  /** Every recipient there ever was, from the messages by age. */
  const everybody = (): Stream[] =>
    shardsOf('age', 'message').map(partition => async (after, limit) => {
      const at = after.split(' ', 1)[0]!
      const begun = at === '' ? [] : await placesOf(at, after)
      const messages = await table.query({ index: indexOf('age'), partition, after: at, limit })
      const more = await Promise.all(messages.map(item => placesOf(queueIdOf(item), after)))
      const upTo = messages.length === limit ? { upTo: `${queueIdOf(messages.at(-1)!)} \u{10ffff}` } : {}
      return { places: [...begun, ...more.flat()], ...upTo }
    })

  return {
    of({ states, queueId, recipient, sender, ...filter }: RecipientFilter): Stream[] {
      const domain = recipient === undefined ? filter.domain : domainOf(recipient)
      if (queueId !== undefined) return [async after => ({ places: await placesOf(queueId, after) })]
      const waiting = states.filter(state => !isFinal(state) && state !== 'queued')
      // Few are queued for long; those that wait may be a million, and are listed by domain and sender.
      const rest = states.filter(state => !waiting.includes(state))
      const listedBy =
        domain !== undefined ? byDomain(domain) : sender !== undefined ? bySender(sender.toLowerCase()) : undefined
      return [
        ...(waiting.length > 0 ? (listedBy ?? waiting.flatMap(byState)) : []),
        ...rest.filter(state => !isFinal(state)).flatMap(byState),
        ...(states.some(isFinal) ? everybody() : []),
      ]
    },
  }
}

function fits(item: Item, { states, domain, recipient, sender, before }: RecipientFilter): boolean {
  const address = recipientOf(item)
  const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase()
  return (
    states.includes(item.state as RecipientState) &&
    (domain === undefined || domainOf(address) === domain) &&
    (recipient === undefined || same(address, recipient)) &&
    (sender === undefined || same(String(item.sender), sender)) &&
    (before === undefined || (Number(item.acceptedAt) < before && queueIdOf(item) < timePrefix(before)))
  )
}

/** None of a message that was never finished or is just being forgotten. */
function listed(item: Item, { message, deferrals, events }: Story): ListedRecipient[] {
  if (message === undefined) return []
  const recipient = recipientOf(item)
  const deferral = deferrals.find(({ job }) => job.recipients.includes(recipient))
  return [
    {
      queueId: queueIdOf(item),
      recipient,
      state: item.state as RecipientState,
      sender: String(item.sender),
      acceptedAt: Number(item.acceptedAt),
      size: Number(item.size),
      ...(deferral && { dueAt: deferral.dueAt, attempt: deferral.job.attempt }),
      ...reasonFor(events, recipient),
    },
  ]
}
