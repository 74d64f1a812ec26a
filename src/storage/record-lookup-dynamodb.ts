// Look-ups of messages by address or message id. No index has these as keys, for each would cost a write for every
// message, and few are ever looked for: the index by age holds a short text of what a message is found by, and a look-up
// goes along it, newest first, until it has found enough. What does not fit into the text is looked up in the message.
import type { AcceptedMessage } from '../mail/record.ts'
import { distinctRecipients } from './record-items-dynamodb.ts'
import { indexOf, messageKey, queueIdOf, shardsOf } from './record-keys-dynamodb.ts'
import type { RecordQuery } from './record-store.ts'
import type { Item, Table } from './table-dynamodb.ts'

/** Octets: an entry of the index stays within one write unit. */
const MOST_TEXT = 700
/** In place of what did not fit. */
const MORE = '\n…'

/** The attribute that the index holds. */
export function lookOf(message: AcceptedMessage): string {
  let look = ''
  for (const term of termsOf(message)) {
    if (Buffer.byteLength(look + term) > MOST_TEXT) return look + MORE
    look += term
  }
  return `${look}\n`
}

/** A line for each; the line behind it ends it. */
function termsOf(message: AcceptedMessage): string[] {
  const { envelope, messageId } = message
  const addresses = new Set([envelope.reversePath, ...distinctRecipients(message)].map(addressTerm))
  return [...(messageId === undefined ? [] : [messageIdTerm(messageId)]), ...addresses]
}

const addressTerm = (address: string) => `\na ${address.toLowerCase()}`
const messageIdTerm = (messageId: string) => `\nm ${messageId}`

/** Queue ids of messages that fit, newest first. Reads the index as far back as it takes to find so many. */
export async function findMessages(table: Table, query: RecordQuery): Promise<string[]> {
  const term = 'messageId' in query ? messageIdTerm(query.messageId) : addressTerm(query.address)
  const anyOf = [`${term}\n`, MORE]

  async function confirmed(found: readonly Item[]): Promise<string[]> {
    const unsure = found.filter(({ look }) => !`${look}\n`.includes(`${term}\n`))
    const messages = await table.getAll(unsure.map(item => messageKey(queueIdOf(item))))
    const others = new Set(
      messages.filter(({ doc }) => !termsOf(JSON.parse(String(doc))).includes(term)).map(queueIdOf),
    )
    return found.map(queueIdOf).filter(queueId => !others.has(queueId))
  }

  const shards = await Promise.all(
    shardsOf('age', 'message').map(async partition => {
      const range = { index: indexOf('age'), partition, newestFirst: true, contains: { attribute: 'look', anyOf } }
      for (let limit = query.limit; ; limit *= 4) {
        const found = await table.query({ ...range, limit })
        const ids = await confirmed(found)
        if (ids.length >= query.limit || found.length < limit) return ids
      }
    }),
  )
  return shards.flat().toSorted().toReversed().slice(0, query.limit)
}
