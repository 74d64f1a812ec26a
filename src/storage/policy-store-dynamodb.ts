// The policy store as a DynamoDB table. A space is many partitions, by a hash of the key, and an index by expiry, over
// which the cleanup and the count go. An update is a read, the caller's change, and a write that counts only if what was
// read still stands; each value written has a tag of its own, so a write that was repeated because its answer was lost
// knows itself again. DynamoDB removes by itself, a day later, what no cleanup has removed.
import { randomUUID } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { POLICY_TABLE } from './aws-schema.ts'
import type { PolicyEntry, PolicyStore } from './policy-store.ts'
import { type Item, type Key, LAST, type Table } from './table-dynamodb.ts'

const SHARDS = 8
const DAY = 86_400
const [END] = POLICY_TABLE.indexes

const partitions = (space: string) => Array.from({ length: SHARDS }, (_, shard) => `${space}#${shard}`)
const keyOf = (space: string, key: string): Key => ({ pk: `${space}#${crc32(key) % SHARDS}`, sk: key })
const sortable = (time: number) => String(Math.max(0, time)).padStart(16, '0')

export function createDynamoPolicyStore({ table }: { table: Table }): PolicyStore {
  const inTurn = turns()

  async function update(
    space: string,
    key: string,
    now: number,
    change: Parameters<PolicyStore['update']>[3],
  ): Promise<PolicyEntry | undefined> {
    const tag = randomUUID()
    for (;;) {
      const item = await table.get(keyOf(space, key))
      const current = entryIn(item, now)
      if (item?.tag === tag) return current
      const wanted = change(current)
      if (wanted === undefined) return current
      const { value, expiresAt } = wanted
      const { pk, sk } = keyOf(space, key)
      const written = await table.write({
        put: {
          pk,
          sk,
          value: JSON.stringify(value),
          until: expiresAt,
          tag,
          endKey: pk,
          endAt: `${sortable(expiresAt)}#${sk}`,
          expiresAt: Math.ceil(expiresAt / 1000) + DAY,
        },
        ...(item === undefined
          ? { condition: 'attribute_not_exists(#pk)' }
          : { condition: '#tag = :before', values: { before: item.tag! } }),
      })
      if (written !== undefined) return { key, value, expiresAt }
    }
  }

  return {
    async get(space, key, now) {
      return entryIn(await table.get(keyOf(space, key)), now)
    },

    // In turn within a process, where it costs nothing: those who wait would only disturb each other.
    update: (space, key, now, change) => inTurn(`${space}#${key}`, () => update(space, key, now, change)),

    async remove(space, key) {
      return (await table.write({ remove: keyOf(space, key) })) !== undefined
    },

    async list(space, { prefix = '', after = '', limit }, now) {
      const begin = byOctets(after, prefix) < 0 ? { from: prefix } : { after }
      const shards = await Promise.all(
        partitions(space).map(async partition => {
          const found: PolicyEntry[] = []
          for (let range: { from: string } | { after: string } = begin; ; ) {
            const items = await table.query({ ...range, partition, before: prefix + LAST, limit })
            found.push(...items.flatMap(item => entryIn(item, now) ?? []))
            if (items.length < limit || found.length >= limit) return found
            range = { after: items.at(-1)!.sk }
          }
        }),
      )
      return shards
        .flat()
        .toSorted((a, b) => byOctets(a.key, b.key))
        .slice(0, limit)
    },

    async count(space, now) {
      const after = `${sortable(now)}$`
      const counts = await Promise.all(
        partitions(space).map(partition => table.count({ index: END, partition, after })),
      )
      return counts.reduce((sum, count) => sum + count, 0)
    },

    async expire(space, now, max) {
      const before = `${sortable(now)}$`
      const found = await Promise.all(
        partitions(space).map(partition => table.query({ index: END, partition, before, limit: max })),
      )
      const oldest = found.flat().toSorted((a, b) => (String(a.endAt) < String(b.endAt) ? -1 : 1))
      const removed = await Promise.all(
        oldest
          .slice(0, max)
          .map(({ pk, sk }) => table.write({ remove: { pk, sk }, condition: '#until <= :now', values: { now } })),
      )
      return removed.flatMap(item => (item === undefined ? [] : [JSON.parse(String(item.value))]))
    },

    async close() {},
  }
}

function entryIn(item: Item | undefined, now: number): PolicyEntry | undefined {
  if (item === undefined || Number(item.until) <= now) return undefined
  return { key: item.sk, value: JSON.parse(String(item.value)), expiresAt: Number(item.until) }
}

/** As DynamoDB sorts. */
function byOctets(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

/** Runs what is of one name one after the other. */
function turns() {
  const last = new Map<string, Promise<unknown>>()
  return async <T>(name: string, step: () => Promise<T>): Promise<T> => {
    const before = last.get(name)
    const mine = (before ?? Promise.resolve()).then(step, step)
    const settled = mine.catch(() => {})
    last.set(name, settled)
    try {
      return await mine
    } finally {
      if (last.get(name) === settled) last.delete(name)
    }
  }
}
