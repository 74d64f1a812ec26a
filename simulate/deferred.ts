// Deferred mail: due by the gateway's own retry schedule, brought back by the function that runs every minute, in batches
// as it takes them, for as long as its time suffices.
import { BATCH, RESERVE } from '../functions/sweep-deferred/pace.ts'
import { nextAttemptAt } from '../src/mail/retry-schedule.ts'
import { type Process, start, together } from './process.ts'
import { latency } from './random.ts'
import { SWEEP } from './services.ts'
import { wake } from './worker.ts'
import type { Message, World } from './world.ts'

export type Deferrals = Readonly<{
  defer(message: Message): void
  /** Those that are due and were not brought back by the last pass. */
  overdue(): number
}>

export function startDeferrals(world: World): Deferrals {
  const { clock, chance, census, dynamodb, deliveries, gateway, latencies } = world
  const schedule = { delays: gateway.retryDelays, lifetime: gateway.lifetime }
  const connection = deliveries.connect()
  const due: Message[] = []
  let overdue = 0

  function defer(message: Message): void {
    const { attempt, acceptedAt } = message
    const now = clock.now()
    const at = nextAttemptAt(schedule, { attempt, acceptedAt, now }, chance)
    census.move(message, at === undefined ? 'failed' : 'deferred')
    if (at !== undefined) clock.after(at - now, () => due.push(message))
  }

  function* bringBack(message: Message): Process {
    const { at } = message
    if (!(yield* dynamodb.step('enqueue-again', at))) return void due.push(message)
    census.move(message, 'delivery')
    message.attempt++
    yield* wake(connection, message)
    yield* dynamodb.step('note-again', at)
    yield* dynamodb.step('undefer', at)
  }

  function* pass(): Process {
    const end = clock.now() + SWEEP.time - RESERVE
    while (clock.now() < end) {
      // A query for each shard of both queues, and then the items.
      dynamodb.read(BATCH + 8)
      yield latency(chance, latencies.read) + latency(chance, latencies.read)
      const batch = due.splice(0, BATCH)
      if (batch.length === 0) break
      yield* together(clock, batch.map(bringBack))
      if (batch.length < BATCH) break
    }
    overdue = due.length
  }

  function* everyMinute(): Process {
    for (;;) {
      yield SWEEP.every
      start(clock, pass())
    }
  }

  start(clock, everyMinute())
  return { defer, overdue: () => overdue }
}
