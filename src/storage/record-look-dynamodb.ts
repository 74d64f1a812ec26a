// What a message is found by, as one short text for the index: a hash for its message id, its sender and each recipient.
// So the index tells no address, and an entry is small. Hashes may agree by chance: the message has the last word.
import { createHash } from 'node:crypto'
import type { AcceptedMessage } from '../mail/record.ts'
import { distinctRecipients } from './record-items-dynamodb.ts'
import type { RecordQuery } from './record-store.ts'

/** Octets: an entry of the index stays within one write unit. */
const MOST_TEXT = 600
/** In place of what did not fit. */
export const MORE = ' …'

/** The attribute that the index holds. */
export function lookOf(message: AcceptedMessage): string {
  let look = ''
  for (const term of termsOf(message)) {
    if (look.length > MOST_TEXT) return look + MORE
    look += hashOf(term)
  }
  return look
}

/** What is in the attribute of a message that fits, if it had room. */
export function hashFor(query: RecordQuery): string {
  return hashOf(termFor(query))
}

export function fitsQuery(message: AcceptedMessage, query: RecordQuery): boolean {
  return termsOf(message).includes(termFor(query))
}

function termsOf(message: AcceptedMessage): string[] {
  const { envelope, messageId } = message
  const addresses = new Set([envelope.reversePath, ...distinctRecipients(message)].map(addressTerm))
  return [...(messageId === undefined ? [] : [messageIdTerm(messageId)]), ...addresses]
}

const termFor = (query: RecordQuery) =>
  'messageId' in query ? messageIdTerm(query.messageId) : addressTerm(query.address)
const addressTerm = (address: string) => `address ${address.toLowerCase()}`
const messageIdTerm = (messageId: string) => `message-id ${messageId}`

/** Of a hundred million messages one in a million look-ups meets another by chance. */
function hashOf(term: string): string {
  return ` ${createHash('sha256').update(term).digest('base64url').slice(0, 8)}`
}
