// One DynamoDB table, as its adapters use it: the few requests they need, with names and values of expressions filled in.
// A condition that fails is an answer, not an error; everything else that DynamoDB refuses rejects and means "later".
// Lost answers: the SDK repeats a request, a transaction under the same token, so that it counts once; of single writes
// the callers see to it that they may be repeated. Conflicts between transactions are tried again here, with jitter.
import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import {
  BatchGetCommand,
  BatchWriteCommand,
  DeleteCommand,
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  TransactWriteCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb'
import { PASSING } from './storage-away.ts'

export type Key = Readonly<{ pk: string; sk: string }>
export type Value = string | number | boolean | Uint8Array | readonly (string | Uint8Array)[]
export type Item = Key & Readonly<Record<string, Value>>

/** Attributes are written `#name` and values `:name` in expressions; `values` has them without the colon. */
type Conditional = Readonly<{ condition?: string; values?: Readonly<Record<string, Value>> }>
export type Write = Conditional &
  (
    | Readonly<{ put: Item }>
    | Readonly<{ update: Key; expression: string }>
    | Readonly<{ remove: Key }>
    | Readonly<{ check: Key; condition: string }>
  )

export type Range = Readonly<{
  /** Index to ask and its two attributes; absent: the table itself, read consistently. */
  index?: Readonly<{ name: string; partition: string; sort: string }>
  partition: string
  prefix?: string
  from?: string
  /** These two exclusive. */
  after?: string
  before?: string
  /** As many as there are, unless given. */
  limit?: number
  newestFirst?: boolean
  /** Only those whose attribute has one of these texts in it; the others are read and passed over. */
  contains?: Readonly<{ attribute: string; anyOf: readonly string[] }>
}>

export interface Table {
  get(key: Key): Promise<Item | undefined>
  /** What there is of these, in no order. */
  getAll(keys: readonly Key[], options?: Readonly<{ consistent?: boolean }>): Promise<Item[]>
  query(range: Range): Promise<Item[]>
  /** How many there are. */
  count(range: Range): Promise<number>
  /** The item after the write (before it, of a removal), or undefined when the condition did not hold. */
  write(write: Exclude<Write, { check: Key }>): Promise<Item | undefined>
  /** All or none. Made anew for each attempt. Resolves with the places of writes whose condition did not hold: then none. */
  transact(make: () => readonly Write[]): Promise<readonly number[]>
  removeAll(keys: readonly Key[]): Promise<void>
}

/** Sorts behind every key. */
export const LAST = '\u{10ffff}'.repeat(4)

/** What a transaction may hold. */
export const MOST_WRITES = 100
const MOST_GETS = 100
const MOST_REMOVALS = 25
/** Of a write that meets others. */
export const ATTEMPTS = 12

export function openTable({ client, name }: { client: DynamoDBDocumentClient; name: string }): Table {
  function rangeInput(range: Range) {
    const { partition, sort } = range.index ?? { partition: 'pk', sort: 'sk' }
    const { prefix, from, after, before } = range
    const values: Record<string, string> = { partition: range.partition }
    let condition = '#partition = :partition'
    if (prefix !== undefined) {
      condition += ' AND begins_with(#sort, :prefix)'
      values.prefix = prefix
    } else if (from !== undefined || after !== undefined || before !== undefined) {
      condition += ' AND #sort BETWEEN :from AND :to'
      // A string's successor, and something behind every key; keys never equal `before`, which is a prefix of keys.
      values.from = after === undefined ? (from ?? '\0') : `${after}\0`
      values.to = before ?? LAST
    }
    const names: Record<string, string> = {
      '#partition': partition,
      ...(condition.includes('#sort') && { '#sort': sort }),
    }
    const { attribute, anyOf = [] } = range.contains ?? {}
    if (attribute !== undefined) names['#attribute'] = attribute
    for (const [n, text] of anyOf.entries()) values[`text${n}`] = text
    const filter = anyOf.map((_, n) => `contains(#attribute, :text${n})`).join(' OR ')
    return {
      TableName: name,
      ...(range.index === undefined ? { ConsistentRead: true } : { IndexName: range.index.name }),
      KeyConditionExpression: condition,
      ...(filter !== '' && { FilterExpression: filter }),
      ExpressionAttributeNames: names,
      ExpressionAttributeValues: withColons(values),
    }
  }

  return {
    async get({ pk, sk }) {
      const { Item } = await client.send(new GetCommand({ TableName: name, Key: { pk, sk }, ConsistentRead: true }))
      return Item as Item | undefined
    },

    async getAll(keys, { consistent = true } = {}) {
      const batches = await Promise.all(
        chunks(keys, MOST_GETS).map(async batch => {
          const items: Item[] = []
          let Keys: Record<string, unknown>[] = batch.map(({ pk, sk }) => ({ pk, sk }))
          for (let attempt = 1; Keys.length > 0; attempt++) {
            const request = { RequestItems: { [name]: { Keys, ConsistentRead: consistent } } }
            const { Responses, UnprocessedKeys } = await client.send(new BatchGetCommand(request))
            items.push(...((Responses?.[name] ?? []) as Item[]))
            Keys = UnprocessedKeys?.[name]?.Keys ?? []
            if (Keys.length > 0) await pause(attempt)
          }
          return items
        }),
      )
      return batches.flat()
    },

    async query(range) {
      const { limit = Number.POSITIVE_INFINITY, newestFirst = false, contains } = range
      // DynamoDB counts what it passes over, too.
      const isBounded = limit !== Number.POSITIVE_INFINITY && contains === undefined
      const items: Item[] = []
      let from: Record<string, unknown> | undefined
      do {
        const page = await client.send(
          new QueryCommand({
            ...rangeInput(range),
            ScanIndexForward: !newestFirst,
            ...(isBounded && { Limit: limit - items.length }),
            ...(from && { ExclusiveStartKey: from }),
          }),
        )
        items.push(...((page.Items ?? []) as Item[]))
        from = page.LastEvaluatedKey
      } while (from !== undefined && items.length < limit)
      return items.slice(0, limit)
    },

    async count(range) {
      let count = 0
      let from: Record<string, unknown> | undefined
      do {
        const input = { ...rangeInput(range), Select: 'COUNT' as const, ...(from && { ExclusiveStartKey: from }) }
        const page = await client.send(new QueryCommand(input))
        count += page.Count ?? 0
        from = page.LastEvaluatedKey
      } while (from !== undefined)
      return count
    },

    async write(write) {
      for (let attempt = 1; ; attempt++) {
        try {
          const input = { TableName: name, ...conditionInput(write) }
          if ('put' in write) {
            await client.send(new PutCommand({ ...input, Item: write.put }))
            return write.put
          }
          if ('update' in write) {
            const update = { ...input, Key: write.update, UpdateExpression: write.expression }
            const { Attributes } = await client.send(new UpdateCommand({ ...update, ReturnValues: 'ALL_NEW' }))
            return Attributes as Item
          }
          const removal = new DeleteCommand({ ...input, Key: write.remove, ReturnValues: 'ALL_OLD' })
          return (await client.send(removal)).Attributes as Item | undefined
        } catch (error) {
          const { name: what } = error as Error
          if (what === 'ConditionalCheckFailedException') return undefined
          if (what !== 'TransactionConflictException' || attempt === ATTEMPTS) throw error
          await pause(attempt)
        }
      }
    },

    async transact(make) {
      for (let attempt = 1; ; attempt++) {
        const TransactItems = make().map(write => transactItem(name, write))
        try {
          await client.send(new TransactWriteCommand({ TransactItems, ClientRequestToken: randomUUID() }))
          return []
        } catch (error) {
          const reasons = reasonsOf(error)
          const failed = reasons.flatMap((code, place) => (code === 'ConditionalCheckFailed' ? [place] : []))
          if (failed.length > 0) return failed
          if (!reasons.some(code => PASSING.has(code)) || attempt === ATTEMPTS) throw error
          await pause(attempt)
        }
      }
    },

    async removeAll(keys) {
      for (const batch of chunks(keys, MOST_REMOVALS)) {
        let requests: unknown[] = batch.map(({ pk, sk }) => ({ DeleteRequest: { Key: { pk, sk } } }))
        for (let attempt = 1; requests.length > 0; attempt++) {
          const RequestItems = { [name]: requests as { DeleteRequest: { Key: Key } }[] }
          const { UnprocessedItems } = await client.send(new BatchWriteCommand({ RequestItems }))
          requests = UnprocessedItems?.[name] ?? []
          if (requests.length > 0) await pause(attempt)
        }
      }
    },
  }
}

/** About what DynamoDB counts as the size of an item: names and values. */
export function octetsOf(item: Item): number {
  return Object.entries(item).reduce((sum, [name, value]) => sum + name.length + octetsIn(value), 0)
}

function octetsIn(value: Value): number {
  if (value instanceof Uint8Array) return value.length
  if (Array.isArray(value)) return value.reduce((sum, each) => sum + 1 + octetsIn(each), 3)
  // Two digits to an octet, and one for the exponent.
  if (typeof value === 'number') return Math.ceil(String(value).length / 2) + 1
  return Buffer.byteLength(String(value))
}

export function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, n) => items.slice(n * size, (n + 1) * size))
}

/** Milliseconds until the next attempt: at most a second, and never the same for two who met. */
export function pauseAfter(attempt: number, random: () => number = Math.random): number {
  return random() * Math.min(1000, 10 * 2 ** attempt)
}

function pause(attempt: number): Promise<void> {
  return wait(pauseAfter(attempt))
}

function transactItem(TableName: string, write: Write) {
  const input = { TableName, ...conditionInput(write) }
  if ('put' in write) return { Put: { ...input, Item: write.put } }
  if ('update' in write) return { Update: { ...input, Key: write.update, UpdateExpression: write.expression } }
  if ('remove' in write) return { Delete: { ...input, Key: write.remove } }
  return { ConditionCheck: { ...input, Key: write.check, ConditionExpression: write.condition } }
}

/** Every attribute goes by a placeholder: the language of conditions reserves some six hundred words. */
function conditionInput(write: Write) {
  const { condition, values } = write
  const text = `${condition ?? ''} ${'expression' in write ? write.expression : ''}`
  const names = Object.fromEntries(
    [...text.matchAll(/#(\w+)/g)].map(([placeholder, attribute]) => [placeholder, attribute!]),
  )
  return {
    ...(condition !== undefined && { ConditionExpression: condition }),
    ...(Object.keys(names).length > 0 && { ExpressionAttributeNames: names }),
    ...(values !== undefined && { ExpressionAttributeValues: withColons(values) }),
  }
}

function withColons<T>(values: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`:${name}`, value]))
}

function reasonsOf(error: unknown): string[] {
  const { name, CancellationReasons = [] } = error as Error & { CancellationReasons?: { Code?: string }[] }
  return name === 'TransactionCanceledException' ? CancellationReasons.map(({ Code = 'None' }) => Code) : []
}
