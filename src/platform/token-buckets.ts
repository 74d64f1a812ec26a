// Token buckets by key, in memory: one for each client, user or sender. Bounded: full ones are as good as none, and
// beyond `most` those unused for longest go as well, who come back with a full one.
import type { Rate } from './config-fields.ts'
import { type Bucket, levelOf, take } from './token-bucket.ts'

/** Milliseconds to wait, 0 when the tokens were there and are taken. `now` in milliseconds since 1970. */
export type TokenBuckets = (key: string, tokens: number, now: number) => number

export function createTokenBuckets(rate: Rate, most: number): TokenBuckets {
  /** Used last stands last. */
  const buckets = new Map<string, Bucket>()

  function forget(now: number): void {
    for (const [key, bucket] of buckets) {
      if (buckets.size <= most && levelOf(bucket, rate, now) < rate.amount) return
      buckets.delete(key)
    }
  }

  return (key, tokens, now) => {
    const { bucket, wait } = take(buckets.get(key), rate, tokens, now)
    buckets.delete(key)
    buckets.set(key, bucket)
    forget(now)
    return wait
  }
}
