// DynamoDB as the gateway's steps meet it. A table and each of its indexes give so many units in a second, and so does
// every hot partition by itself; a write that one of them has nothing left for is refused as a whole. Two transactions on
// one item at the same time: the second is refused. What is refused is tried again as the gateway does it: transactions
// by its own pauses, which draw their counter anew, other writes by the SDK's; then the step has failed.
import { Retry } from '@smithy/core/retry'
import { ATTEMPTS as SDK_ATTEMPTS } from '../src/backends-aws.ts'
import { pauseAfter, ATTEMPTS as TRANSACTION_ATTEMPTS } from '../src/storage/table-dynamodb.ts'
import type { Clock } from './clock.ts'
import type { StepName, StepRequest, Steps, StepWrite } from './dynamodb-steps.ts'
import { createMeter, type Meter, type Usage, usageOf } from './meter.ts'
import type { Process } from './process.ts'
import { type Chance, latency } from './random.ts'
import { type Latencies, type Quotas, TRANSACTION_HOLDS } from './services.ts'

type Answer = 'done' | 'throttled' | 'conflict'

export type DynamoDb = Readonly<{
  /** False when it has failed in spite of all attempts. `place`, 0 to below 1: where the message's keys are. */
  step(name: StepName, place: number): Process<boolean>
  /** Reads that nobody waits for. */
  read(units: number): void
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

export function createDynamoDb({ clock, chance, quotas, latencies, steps, spread }: Parts): DynamoDb {
  const whole = new Map<string, Meter>()
  const hot = new Map<string, Meter[]>()
  const heldUntil = new Map<Meter, number>()
  const reads = createMeter(quotas.tableReads)
  const refusedAt = new Map<string, number>()
  let [requests, throttled, conflicts, readsRefused] = [0, 0, 0, 0]

  function wholeOf(where: string): Meter {
    const meter = whole.get(where) ?? createMeter(quotas.tableWrites)
    whole.set(where, meter)
    return meter
  }

  function partsOf(where: string, name: string, shards: number): Meter[] {
    const key = `${where} ${name}`
    let parts = hot.get(key)
    if (parts === undefined) {
      parts = Array.from({ length: shards * spread }, () => createMeter(quotas.partitionWrites))
      hot.set(key, parts)
    }
    return parts
  }

  /** Items of the table that many share are drawn anew for each attempt; entries of an index have their place. */
  function shardFor({ where, hot }: StepWrite, place: number): number {
    const at = where === 'table' ? chance() : place
    return Math.floor(at * (hot?.shards ?? 1) * spread)
  }

  /** What gives the units of a write: the table or index, and a hot partition. `isItem`: others write that very item. */
  function metersFor(write: StepWrite, place: number) {
    const { where, units, hot } = write
    const all = [{ name: where, meter: wholeOf(where), units, isItem: false }]
    if (hot === undefined) return all
    const meter = partsOf(where, hot.name, hot.shards)[shardFor(write, place)]!
    return [...all, { name: `${where} ${hot.name}`, meter, units, isItem: where === 'table' }]
  }

  function attempt({ kind, writes, readUnits }: StepRequest, place: number, time: number): Answer {
    const now = clock.now()
    requests++
    if (readUnits > 0) {
      reads.ask(readUnits)
      if (!reads.has(readUnits, now)) {
        readsRefused++
        return 'throttled'
      }
      reads.take(readUnits)
    }
    const wanted = writes.flatMap(write => metersFor(write, place))
    for (const { meter, units } of wanted) meter.ask(units)
    const empty = wanted.find(({ meter, units }) => !meter.has(units, now))
    if (empty !== undefined) {
      refusedAt.set(empty.name, (refusedAt.get(empty.name) ?? 0) + 1)
      return 'throttled'
    }
    if (kind === 'transaction') {
      const items = wanted.filter(({ isItem }) => isItem)
      if (items.some(({ meter }) => (heldUntil.get(meter) ?? 0) > now)) return 'conflict'
      for (const { meter } of items) heldUntil.set(meter, now + TRANSACTION_HOLDS * time)
    }
    for (const { meter, units } of wanted) meter.take(units)
    return 'done'
  }

  function* ask(request: StepRequest, place: number): Process<boolean> {
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
      for (const request of steps.of(name)) if (!(yield* ask(request, place))) return false
      return true
    },
    read(units) {
      reads.ask(units)
      if (reads.has(units, clock.now())) reads.take(Math.min(units, quotas.tableReads))
      else readsRefused++
    },
    requests: () => requests,
    refused: () => ({ throttled, conflicts }),
    usages: milliseconds => [
      ...[...whole].map(([where, meter]) =>
        usageOf(
          where === 'table' ? 'DynamoDB table, writes' : `DynamoDB index ${where}, writes`,
          'units/s',
          [meter],
          refusedAt.get(where) ?? 0,
          milliseconds,
        ),
      ),
      ...[...hot].map(([key, meters]) =>
        usageOf(`DynamoDB partition ${key}#`, 'units/s', meters, refusedAt.get(key) ?? 0, milliseconds),
      ),
      usageOf('DynamoDB table, reads', 'units/s', [reads], readsRefused, milliseconds),
    ],
  }
}
