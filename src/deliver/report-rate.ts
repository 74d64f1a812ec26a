// How many reports a sender gets: a token bucket each, in memory. Bounded: who was quiet longest is forgotten first,
// and gets a full bucket when coming back.
import type { Rate } from '../platform/config-fields.ts'
import { type Bucket, take } from '../platform/token-bucket.ts'

const MOST_SENDERS = 10_000

/** True when this address may be told once more at this time (milliseconds since 1970), which counts then. */
export function createReportRate(rate: Rate): (address: string, at: number) => boolean {
  const buckets = new Map<string, Bucket>()
  return (address, at) => {
    const key = address.toLowerCase()
    const { bucket, wait } = take(buckets.get(key), rate, 1, at)
    buckets.delete(key)
    buckets.set(key, bucket)
    if (buckets.size > MOST_SENDERS) buckets.delete(buckets.keys().next().value!)
    return wait === 0
  }
}
