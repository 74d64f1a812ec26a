// Answers of DynamoDB's item actions as the document client gives them: attribute values become plain ones wherever an
// answer has items or keys. For answers that did not come through the document client.
import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import { unmarshall } from '@aws-sdk/util-dynamodb'

type Attributes = Record<string, AttributeValue>
type Json = Readonly<Record<string, unknown>>

/** What holds one item or key, and what holds a list of them. */
const ONE = new Set(['Item', 'Attributes', 'Key', 'LastEvaluatedKey'])
const SEVERAL = new Set(['Items', 'Keys'])

export function readItemAnswer(answer: Json): Record<string, unknown> {
  return Object.fromEntries(Object.entries(answer).map(([name, value]) => [name, read(name, value)]))
}

function plain(item: Attributes): Record<string, unknown> {
  return unmarshall(withOctets(item))
}

/** In an answer octets are base64. */
function withOctets(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, octetsIn(value)]))
}

function octetsIn(value: AttributeValue): AttributeValue {
  const octets: unknown = value.B
  if (typeof octets === 'string') return { B: Uint8Array.from(Buffer.from(octets, 'base64')) }
  if (value.L !== undefined) return { L: value.L.map(octetsIn) }
  return value
}

function read(name: string, value: unknown): unknown {
  if (value === null || typeof value !== 'object' || name === 'ConsumedCapacity') return value
  if (ONE.has(name)) return plain(value as Attributes)
  if (SEVERAL.has(name)) return (value as Attributes[]).map(plain)
  // By table, and then items as they are.
  if (name === 'Responses' && !Array.isArray(value)) {
    return Object.fromEntries(Object.entries(value).map(([table, items]) => [table, read('Items', items)]))
  }
  return Array.isArray(value) ? value.map(one => read('', one)) : readItemAnswer(value as Json)
}
