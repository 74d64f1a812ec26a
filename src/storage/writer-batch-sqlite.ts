// How a batch travels to the writer's thread: as one string and one buffer, since cloning many small objects and moving
// many small buffers costs more than the writing itself. A statement's text travels once, then its number does.
import type { Batch, SqlValue } from './writer-thread-sqlite.ts'

export type PackedBatch = Readonly<{ text: string; octets: ArrayBuffer }>

/** Stands for octets in the text: where they are in the buffer. */
type Place = Readonly<{ from: number; length: number }>
type PackedValue = Exclude<SqlValue, NodeJS.ArrayBufferView | bigint> | Place
type PackedOperation = readonly [statement: number, ...params: PackedValue[]]
type Packed = Readonly<{
  durable: boolean
  /** Texts that were not sent before; they are numbered in the order in which they come. */
  statements: readonly string[]
  groups: readonly (readonly PackedOperation[])[]
}>

/** Packs the batches for one thread, in the order in which they are sent. Octets are copied. */
export function createBatchPacker(): (batch: Batch) => PackedBatch {
  const numbers = new Map<string, number>()

  return ({ groups, durable }) => {
    const statements: string[] = []
    const blobs: Uint8Array[] = []
    let length = 0

    function numberOf(sql: string): number {
      const known = numbers.get(sql)
      if (known !== undefined) return known
      statements.push(sql)
      numbers.set(sql, numbers.size)
      return numbers.size - 1
    }
    function pack(value: SqlValue): PackedValue {
      if (value instanceof Uint8Array) {
        blobs.push(value)
        length += value.length
        return { from: length - value.length, length: value.length }
      }
      if (typeof value === 'bigint' || ArrayBuffer.isView(value)) throw new TypeError('no such SQL values here')
      return value
    }

    const packed: Packed = {
      durable,
      groups: groups.map(group => group.map(({ sql, params }) => [numberOf(sql), ...params.map(pack)] as const)),
      statements,
    }
    const buffer = new Uint8Array(length)
    let end = 0
    for (const blob of blobs) {
      buffer.set(blob, end)
      end += blob.length
    }
    return { text: JSON.stringify(packed), octets: buffer.buffer }
  }
}

/** The other end: unpacks what one packer packed, in the same order. */
export function createBatchUnpacker(): (batch: PackedBatch) => Batch {
  const known: string[] = []

  return ({ text, octets }) => {
    const { durable, statements, groups }: Packed = JSON.parse(text)
    known.push(...statements)
    const unpack = (value: PackedValue): SqlValue =>
      typeof value === 'object' && value !== null ? new Uint8Array(octets, value.from, value.length) : value
    return {
      durable,
      groups: groups.map(group =>
        group.map(([statement, ...params]) => ({ sql: known[statement]!, params: params.map(unpack) })),
      ),
    }
  }
}
