// S3 as the gateway meets it: a prefix takes so many writes (PUT and DELETE) and reads in a second. Contents are named by
// queue ids, which begin with the time, so all that is new is in one place and splitting helps little: one prefix unless
// `spread` says otherwise. What is refused (503 SlowDown) the SDK tries again.
import { ATTEMPTS } from '../src/backends-aws.ts'
import type { Clock } from './clock.ts'
import { sdkPause } from './dynamodb.ts'
import { createMeter, type Usage, usageOf } from './meter.ts'
import type { Process } from './process.ts'
import { type Chance, latency } from './random.ts'
import type { Latencies, Quotas } from './services.ts'

export type S3 = Readonly<{
  /** False when it has failed in spite of all attempts. `place`, 0 to below 1: where the message's content is. */
  ask(what: 'put' | 'get' | 'remove', place: number): Process<boolean>
  requests(): number
  refused(): number
  usages(milliseconds: number): Usage[]
}>

type Parts = Readonly<{ clock: Clock; chance: Chance; quotas: Quotas; latencies: Latencies; spread: number }>

export function createS3({ clock, chance, quotas, latencies, spread }: Parts): S3 {
  const prefixes = Array.from({ length: spread }, () => ({
    writes: createMeter(quotas.prefixWrites),
    reads: createMeter(quotas.prefixReads),
  }))
  const refused = { writes: 0, reads: 0 }
  let requests = 0

  return {
    *ask(what, place) {
      const kind = what === 'get' ? 'reads' : 'writes'
      const meter = prefixes[Math.floor(place * spread)]![kind]
      for (let attempt = 1; ; attempt++) {
        requests++
        meter.ask(1)
        const isGiven = meter.has(1, clock.now())
        if (isGiven) meter.take(1)
        yield latency(chance, latencies[what])
        if (isGiven) return true
        refused[kind]++
        if (attempt === ATTEMPTS) return false
        yield sdkPause(attempt - 1, chance)
      }
    },
    requests: () => requests,
    refused: () => refused.writes + refused.reads,
    usages: milliseconds =>
      (['writes', 'reads'] as const).map(kind =>
        usageOf(
          `S3 prefix, ${kind}`,
          'requests/s',
          prefixes.map(prefix => prefix[kind]),
          refused[kind],
          milliseconds,
        ),
      ),
  }
}
