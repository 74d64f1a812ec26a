// What was measured, and how it is summed up: medians with their range, and ratios taken within a round, because the
// speed of a shared machine moves more from round to round than the servers differ.

export type Sample = Readonly<{
  server: string
  round: number
  /** Messages per second. */
  rate: number
  /** Processor microseconds per message, all processes of the server. */
  cpu: number
  /** fsync and fdatasync calls per message; absent where nobody counted. */
  syncs?: number
  /** Connect to the final 250, milliseconds. */
  p50?: number
  p99?: number
  /** Cores that others used meanwhile. */
  othersCores: number
  disturbed: boolean
}>

/** What the product promises: its rate is at least so many times the anchor's. */
export type Target = Readonly<{ anchor: string; atLeast: number }>

export type Comparison = Readonly<{
  title: string
  /** What is counted; messages when absent. */
  unit?: string
  samples: readonly Sample[]
  targets: readonly Target[]
  notes: readonly string[]
}>

export const SUBJECT = 'Elemta'

export type Spread = Readonly<{ median: number; min: number; max: number }>

/** Of no values: not a number. */
export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
  return {
    median: sorted.length === 0 ? Number.NaN : median,
    min: sorted[0] ?? Number.NaN,
    max: sorted.at(-1) ?? Number.NaN,
  }
}

/**
 * How many times the anchor's rate the subject reaches, from the rounds in which both ran: those in which others kept
 * quiet where there are any, else all. A server of many processes loses less to others than one of few.
 */
export function ratio(samples: readonly Sample[], anchor: string): Spread {
  const of = (server: string, round: number) =>
    samples.find(sample => sample.server === server && sample.round === round)
  const pairs = [...new Set(samples.map(({ round }) => round))].flatMap(round => {
    const [ours, theirs] = [of(SUBJECT, round), of(anchor, round)]
    if (ours === undefined || theirs === undefined) return []
    return [{ times: ours.rate / theirs.rate, disturbed: ours.disturbed || theirs.disturbed }]
  })
  const quiet = pairs.filter(({ disturbed }) => !disturbed)
  return spread((quiet.length > 0 ? quiet : pairs).map(({ times }) => times))
}
