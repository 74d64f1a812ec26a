// A token bucket: it holds as many tokens as the rate allows in its period, and fills up evenly. So a client that was
// quiet may use its whole rate at once. Pure: time comes in, a bucket comes out.
import type { Rate } from './config-fields.ts'

export type Bucket = Readonly<{
  /** Tokens at the time `at`; below zero after something larger than the whole bucket. */
  level: number
  /** Milliseconds since 1970. */
  at: number
}>

/** What is left in a bucket at a time; a bucket that nobody has used is full. */
export function levelOf(bucket: Bucket | undefined, { amount, period }: Rate, now: number): number {
  if (bucket === undefined) return amount
  return Math.min(amount, bucket.level + (Math.max(0, now - bucket.at) * amount) / period)
}

/**
 * Takes `tokens`: `wait` is 0 and `bucket` what is left, or else nothing is taken and `wait` says how many milliseconds
 * it is until they are there. What is larger than the bucket is given when it is full and paid back later: otherwise it
 * could never pass.
 */
export function take(
  bucket: Bucket | undefined,
  rate: Rate,
  tokens: number,
  now: number,
): Readonly<{ bucket: Bucket; wait: number }> {
  const level = levelOf(bucket, rate, now)
  const missing = Math.min(tokens, rate.amount) - level
  if (missing > 0) return { bucket: { level, at: now }, wait: Math.ceil((missing * rate.period) / rate.amount) }
  return { bucket: { level: level - tokens, at: now }, wait: 0 }
}
