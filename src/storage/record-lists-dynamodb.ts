// Lists of recipients for operators. A page comes from the streams that have what is asked for in the order of pages, a
// stream for each shard of an index key: a round reads a little of each, goes as far as the slowest of them has come,
// reads the items found there and keeps those that fit. So a page costs what is on it and what was passed over.
// Recipients at their end are in no list: they are found by walking all messages, slow, and only when asked for.
import { domainOf } from '../mail/envelope.ts'
import { timePrefix } from '../mail/queue-id.ts'
import { isFinal, type RecipientState } from '../mail/record.ts'
import { foldedIn } from './folded-item-dynamodb.ts'
import { reasonFor } from './recipient-reason.ts'
import { recipientItem } from './record-items-dynamodb.ts'
import {
  atPlace,
  indexOf,
  messageKey,
  partitionOf,
  placeOf,
  queueIdOf,
  recipientOf,
  shardsOf,
} from './record-keys-dynamodb.ts'
import type { ListedRecipient, RecipientFilter, RecordStore } from './record-store.ts'
import { readStory, type Story } from './record-story-dynamodb.ts'
import type { Item, Key, Table } from './table-dynamodb.ts'
import type { Young } from './young-messages-dynamodb.ts'

/** Places (see record-keys) after one, in their order. `upTo`: nothing was passed over before it; absent at the end. */
type Piece = Readonly<{ places: readonly string[]; upTo?: string }>
type Stream = (after: string, limit: number) => Promise<Piece>

const SMALLEST_PIECE = 10

type YoungReader = Pick<Young, 'read'>

export function createRecipientLists(table: Table, young: YoungReader): Pick<RecordStore, 'listRecipients' | 'shape'> {
  const streams = streamsOf(table, young)
  return {
    async listRecipients(filter, { after = '', limit }) {
      const sources = streams.of(filter)
      const size = Math.max(SMALLEST_PIECE, Math.ceil((2 * limit) / Math.max(1, sources.length)))
      const rows: Item[] = []
      for (let cursor: string | undefined = after; cursor !== undefined && rows.length < limit; ) {
        const { places, upTo }: Piece = await round(sources, cursor, size)
        const items = new Map((await recipientsAt(table, places.map(atPlace))).map(item => [placeOfItem(item), item]))
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
      function add(place: string) {
        const key = atPlace(place)
        const domain = domainOf(recipientOf(key))
        const counts = shapes.get(domain) ?? new Array(edges.length + 1).fill(0)
        const age = since.findIndex(edge => queueIdOf(key) >= edge)
        counts[age === -1 ? edges.length : age]++
        shapes.set(domain, counts)
      }
      await Promise.all(
        states.flatMap(state =>
          shardsOf('work', state).map(async partition => {
            for (const { workAt } of await table.query({ index: indexOf('work'), partition })) add(String(workAt))
          }),
        ),
      )
      if (states.includes('queued')) for (const place of await foldedPlaces(young)) add(place)
      const sum = (counts: readonly number[]) => counts.reduce((total, n) => total + n, 0)
      return [...shapes]
        .map(([domain, counts]) => ({ domain, counts }))
        .toSorted((a, b) => sum(b.counts) - sum(a.counts))
        .slice(0, most)
    },
  }
}

const placeOfItem = (item: Key) => placeOf(queueIdOf(item), recipientOf(item))

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

/** Of a folded message there is one item, which says it of all. */
async function recipientsAt(table: Table, keys: readonly Key[]): Promise<Item[]> {
  const items = await table.getAll(keys)
  const found = new Set(items.map(placeOfItem))
  const missing = keys.filter(({ pk, sk }) => !found.has(placeOfItem({ pk, sk })))
  const messages = await table.getAll([...new Set(missing.map(queueIdOf))].map(messageKey))
  return [...items, ...messages.flatMap(foldedRecipients)]
}

function foldedRecipients(item: Item): Item[] {
  const folded = foldedIn(item)
  return [...(folded?.states ?? [])].map(([recipient, state]) => recipientItem(folded!.message, recipient, state))
}

/** Of those that are queued. */
async function foldedPlaces(young: YoungReader): Promise<string[]> {
  const { open } = await young.read()
  return open.flatMap(({ message, states }) => [...states.keys()].map(recipient => placeOf(message.queueId, recipient)))
}

function streamsOf(table: Table, young: YoungReader) {
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
    const folded = items.length > 0 ? undefined : await table.get(messageKey(queueId))
    const all = folded === undefined ? items : foldedRecipients(folded)
    return all.map(placeOfItem).filter(place => byOctets(place, after) > 0)
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

  const queuedAndFolded: Stream = async after => ({
    places: (await foldedPlaces(young)).filter(place => byOctets(place, after) > 0),
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
        ...(states.includes('queued') ? [queuedAndFolded] : []),
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
