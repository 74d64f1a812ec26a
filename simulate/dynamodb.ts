// DynamoDB as the gateway's steps meet it. A table and each of its indexes give so many units in a second, and so does
// every hot partition by itself; a write that one of them has nothing left for is refused as a whole. Two transactions on
// one item at the same time: the second is refused. What is refused is tried again as the gateway does it: transactions
// by its own pauses, which draw their counter anew, other writes by the SDK's; then the step has failed.
import { Retry } from '@smithy/core/retry'
import { ATTEMPTS as SDK_ATTEMPTS } from '../src/backends-aws.ts'
import { pauseAfter, ATTEMPTS as TRANSACTION_ATTEMPTS } from '../src/storage/table-dynamodb.ts'
import type { Clock } from './clock.ts'
import type { StepName, StepRequest, Steps } from './dynamodb-steps.ts'
import { createMeter, type Meter, type Usage, usageOf } from './meter.ts'
import type { Process } from './process.ts'
import { type Chance, latency } from './random.ts'
import { type Latencies, type Quotas, TRANSACTION_HOLDS } from './services.ts'

type Answer = 'done' | 'throttled' | 'conflict'

export type DynamoDb = Readonly<{
  /** False when it has failed in spite of all attempts. `place`, 0 to below 1: where the message's keys are. */
  step(name: StepName, place: number): Process<boolean>
  /** Reads that nobody waits for; false when they are refused. */
  read(units: number): boolean
  requests(): number
  refused(): Readonly<{ throttled: number; conflicts: number }>
  usages(milliseconds: number): Usage[]
}>

type Parts = Readonly<{
  clock: Clock
  chance: Chance
  quotas: Quotas
  latencies: Latencies
  steps: Steps
  /** As if there were so many times the shards. */
  spread: number
}>

/** Milliseconds before the SDK tries again what was throttled; `retries` from 0. */
export function sdkPause(retries: number, chance: Chance): number {
  return chance() * Math.min(Retry.throttlingDelay() * 2 ** retries, 20_000)
}

/** What gives units by itself: table or index as a whole, which is one meter, or a hot key, which is one for each shard. */
type Part = { readonly name: string; readonly meters: readonly Meter[]; refused: number }
/** What a request wants of a part. `isItem`: of one item that many share; each attempt draws its shard anew. */
type Want = Readonly<{ part: Part; units: number; isItem: boolean; inIndex: boolean }>
type Request = Readonly<{ kind: StepRequest['kind']; wants: readonly Want[]; readUnits: number }>

export function createDynamoDb({ clock, chance, quotas, latencies, steps, spread }: Parts): DynamoDb {
  const parts = new Map<string, Part>()
  const plans = new Map<StepName, readonly Request[]>()
  const heldUntil = new Map<Meter, number>()
  const reads = createMeter(quotas.tableReads)
  let [requests, throttled, conflicts, readsRefused] = [0, 0, 0, 0]

  function partOf(name: string, count: number, quota: number): Part {
    const meters = () => Array.from({ length: count }, () => createMeter(quota))
    const part = parts.get(name) ?? { name, meters: meters(), refused: 0 }
    parts.set(name, part)
    return part
  }

  function planOf({ kind, writes, readUnits }: StepRequest): Request {
    const wholes = [...Map.groupBy(writes, ({ where }) => where)].map(([where, all]): Want => {
      const units = all.reduce((sum, one) => sum + one.units, 0)
      const name = where === 'table' ? 'DynamoDB table, writes' : `DynamoDB index ${where}, writes`
      return { part: partOf(name, 1, quotas.tableWrites), units, isItem: false, inIndex: where !== 'table' }
    })
    const hot = writes.flatMap(({ where, units, hot }): Want[] => {
      if (hot === undefined) return []
      const name = `DynamoDB partition ${where} ${hot.name}#`
      const inIndex = where !== 'table'
      return [{ part: partOf(name, hot.shards * spread, quotas.partitionWrites), units, isItem: !inIndex, inIndex }]
    })
    return { kind, wants: [...wholes, ...hot], readUnits }
  }

  function planFor(name: StepName): readonly Request[] {
    const plan = plans.get(name) ?? steps.of(name).map(planOf)
    plans.set(name, plan)
    return plan
  }

  function attempt({ kind, wants, readUnits }: Request, place: number, time: number): Answer {
    const now = clock.now()
    requests++
    if (readUnits > 0 && !read(readUnits)) return 'throttled'
    const meters = wants.map(
      ({ part, isItem }) => part.meters[Math.floor((isItem ? chance() : place) * part.meters.length)]!,
    )
    const empty = wants.find(({ units }, n) => !meters[n]!.has(units, now))?.part
    if (empty !== undefined) {
      for (const [n, meter] of meters.entries()) meter.ask(wants[n]!.units)
      empty.refused++
      return 'throttled'
    }
    const conflict = kind === 'transaction' && isHeld(meters, wants, time)
    for (const [n, meter] of meters.entries()) {
      const { units, inIndex } = wants[n]!
      // A transaction is prepared, and then done: one that is called off between has cost the half, and no index.
      const used = conflict ? (inIndex ? 0 : units / 2) : units
      meter.ask(used)
      meter.take(used)
    }
    return conflict ? 'conflict' : 'done'
  }

  /** Whether another transaction has one of the items; if not, this one has them. */
  function isHeld(meters: readonly Meter[], wants: readonly Want[], time: number): boolean {
    const now = clock.now()
    const items = meters.filter((_, n) => wants[n]!.isItem)
    if (items.some(meter => (heldUntil.get(meter) ?? 0) > now)) return true
    for (const meter of items) heldUntil.set(meter, now + TRANSACTION_HOLDS * time)
    return false
  }

  function read(units: number): boolean {
    reads.ask(units)
    if (!reads.has(units, clock.now())) {
      readsRefused++
      return false
    }
    reads.take(units)
    return true
  }

  function* ask(request: Request, place: number): Process<boolean> {
    const { kind } = request
    const attempts = kind === 'transaction' ? TRANSACTION_ATTEMPTS : SDK_ATTEMPTS
    for (let n = 1; ; n++) {
      const time = latency(chance, latencies[kind])
      const answer = attempt(request, place, time)
      yield time
      if (answer === 'done') return true
      if (answer === 'conflict') conflicts++
      else throttled++
      if (n === attempts) return false
      yield kind === 'transaction' ? pauseAfter(n, chance) : sdkPause(n - 1, chance)
    }
  }

  return {
    *step(name, place) {
      for (const request of planFor(name)) if (!(yield* ask(request, place))) return false
      return true
    },
    read,
    requests: () => requests,
    refused: () => ({ throttled, conflicts }),
    usages: milliseconds => [
      ...[...parts.values()].map(({ name, meters, refused }) =>
        usageOf(name, 'units/s', meters, refused, milliseconds),
      ),
      usageOf('DynamoDB table, reads', 'units/s', [reads], readsRefused, milliseconds),
    ],
  }
}
