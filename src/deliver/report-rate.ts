// How many reports a sender gets.
import type { Rate } from '../platform/config-fields.ts'
import { createTokenBuckets } from '../platform/token-buckets.ts'

const MOST_SENDERS = 10_000

/** True when this address may be told once more at this time (milliseconds since 1970), which counts then. */
export function createReportRate(rate: Rate): (address: string, at: number) => boolean {
  const waitFor = createTokenBuckets(rate, MOST_SENDERS)
  return (address, at) => waitFor(address.toLowerCase(), 1, at) === 0
}
