// A table in memory that writes down what the gateway's adapters ask of it: which partitions of table and indexes a
// request writes to, and how many units DynamoDB counts for it. So the simulation knows the adapters' writes from
// themselves. Of conditions it looks at `#attribute = :value` alone and takes all others for true: it is asked for the
// ordinary course of things only.
// Units: one for each KiB of an item, twice that in a transaction; one for an entry of an index that comes or goes. A
// read: one for 4 KiB, half where it need not be consistent.
import { RECORDS_TABLE } from '../src/storage/aws-schema.ts'
import {
  type Item,
  type Key,
  octetsOf,
  type Range,
  type Table,
  type Value,
  type Write,
} from '../src/storage/table-dynamodb.ts'

export type Touch = Readonly<{
  /** `table`, or the name of an index. */
  where: string
  partition: string
  units: number
}>

export type TableRequest = Readonly<{
  kind: 'write' | 'transaction' | 'read'
  writes: readonly Touch[]
  readUnits: number
}>

export type RecordingTable = Readonly<{
  table: Table
  /** What was asked since it was last called, in order. */
  taken(): TableRequest[]
}>

const keyIn = (write: Write): Key =>
  'put' in write ? write.put : 'update' in write ? write.update : 'remove' in write ? write.remove : write.check
const keyOf = ({ pk, sk }: Key) => `${pk}\n${sk}`
const octets = octetsOf

export function createRecordingTable(): RecordingTable {
  const items = new Map<string, Item>()
  let requests: TableRequest[] = []

  const read = (units: number) => requests.push({ kind: 'read', writes: [], readUnits: units })

  function holds(write: Write): boolean {
    const [, attribute, value] = /^#(\w+) = :(\w+)$/.exec(write.condition ?? '') ?? []
    if (attribute === undefined || value === undefined) return true
    return items.get(keyOf(keyIn(write)))?.[attribute] === write.values?.[value]
  }

  function touchesOf(write: Write, applied: boolean): Touch[] {
    const key = keyIn(write)
    if ('check' in write) return [{ where: 'table', partition: key.pk, units: 1 }]
    const before = items.get(keyOf(key))
    const after = applied ? itemAfter(write, before) : before
    if (after === undefined) items.delete(keyOf(key))
    else items.set(keyOf(key), after)
    const size = Math.max(before === undefined ? 1 : octets(before), after === undefined ? 1 : octets(after))
    return [
      { where: 'table', partition: key.pk, units: Math.ceil(size / 1024) },
      ...RECORDS_TABLE.indexes.flatMap(index => entryTouches(index, before, after)),
    ]
  }

  function found({ index, partition, prefix, after, before }: Range): Item[] {
    const [by, sort] = index === undefined ? ['pk', 'sk'] : [index.partition, index.sort]
    return [...items.values()].filter(item => {
      const at = String(item[sort])
      const isBetween = (after === undefined || at > after) && (before === undefined || at < before)
      return item[by] === partition && at.startsWith(prefix ?? '') && isBetween
    })
  }

  const table: Table = {
    async get(key) {
      const item = items.get(keyOf(key))
      read(Math.ceil((item === undefined ? 1 : octets(item)) / 4096))
      return item
    },
    async getAll(keys, { consistent = true } = {}) {
      if (keys.length === 0) return []
      const there = keys.flatMap(key => items.get(keyOf(key)) ?? [])
      read(keys.length * (consistent ? 1 : 0.5))
      return there
    },
    async query(range) {
      const there = found(range).slice(0, range.limit)
      const size = there.reduce((sum, item) => sum + (range.index === undefined ? octets(item) : indexOctets(item)), 0)
      read(Math.max(1, Math.ceil(size / 4096)) * (range.index === undefined ? 1 : 0.5))
      return there
    },
    async count(range) {
      return (await table.query(range)).length
    },
    async write(write) {
      const held = holds(write)
      const before = items.get(keyOf(keyIn(write)))
      requests.push({ kind: 'write', writes: touchesOf(write, held), readUnits: 0 })
      if (!held) return undefined
      return 'remove' in write ? before : items.get(keyOf(keyIn(write)))
    },
    async transact(make) {
      const made = make()
      const failed = made.flatMap((write, place) => (holds(write) ? [] : [place]))
      const writes = made.flatMap(write => touchesOf(write, failed.length === 0))
      const twice = writes.map(one => (one.where === 'table' ? { ...one, units: 2 * one.units } : one))
      requests.push({ kind: 'transaction', writes: twice, readUnits: 0 })
      return failed
    },
    async removeAll(keys) {
      const writes = keys.flatMap(remove => touchesOf({ remove }, true))
      requests.push({ kind: 'write', writes, readUnits: 0 })
    },
  }

  return {
    table,
    taken() {
      const taken = requests
      requests = []
      return taken
    },
  }
}

/** Of keys, and what a message is looked up by. */
function indexOctets(item: Item): number {
  return keyOf(item).length + 60 + String(item.look ?? '').length
}

function entryTouches(
  { name, partition, sort }: (typeof RECORDS_TABLE.indexes)[number],
  before: Item | undefined,
  after: Item | undefined,
): Touch[] {
  const entry = (item: Item | undefined) =>
    item?.[partition] === undefined || item[sort] === undefined ? undefined : [item[partition], item[sort]].map(String)
  const [old, now] = [entry(before), entry(after)]
  if (old?.join('\n') === now?.join('\n')) return []
  return [old, now].flatMap(one => (one === undefined ? [] : [{ where: name, partition: one[0]!, units: 1 }]))
}

/** SET, REMOVE and ADD, as the adapters write them. */
function itemAfter(write: Exclude<Write, { check: Key }>, before: Item | undefined): Item | undefined {
  if ('put' in write) return write.put
  if ('remove' in write) return undefined
  const item: Record<string, Value> = { ...before, pk: write.update.pk, sk: write.update.sk }
  const meant = (name: string) => (name.startsWith(':') ? write.values?.[name.slice(1)] : before?.[name.slice(1)])
  const expression = write.expression.replace(/list_append\(if_not_exists\(#\w+, :\w+\), (:\w+)\)/g, '$1+')
  for (const [, verb, clause = ''] of expression.matchAll(/(SET|REMOVE|ADD) (.*?)(?= SET | REMOVE | ADD |$)/g)) {
    for (const part of clause.split(', ')) {
      const [target = '', value = ''] = part.trim().split(verb === 'SET' ? ' = ' : ' ')
      const name = target.slice(1)
      if (value.endsWith('+')) {
        item[name] = [...((item[name] ?? []) as string[]), ...(meant(value.slice(0, -1)) as string[])]
        continue
      }
      const given = meant(value)
      if (verb === 'REMOVE') delete item[name]
      else if (given !== undefined) item[name] = verb === 'ADD' ? Number(item[name] ?? 0) + Number(given) : given
    }
  }
  return item as Item
}
