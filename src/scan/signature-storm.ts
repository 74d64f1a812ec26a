// Storms: one signature that has a large part of all hits within a while is rather a false positive than an epidemic
// (a bad signature that came with an update hits everybody's mail). Until it is over, what it finds is kept instead of
// dropped. A sliding window of counts, so that memory is bounded however much is found; time is passed in.

/** Milliseconds. */
const WINDOW = 10 * 60_000
const STEP = 10_000
/** From so many hits of one signature in the window on, and more than this part of all. */
const LEAST_HITS = 20
const LARGEST_SHARE = 0.2

export type SignatureStorm = Readonly<{
  /** Counts a hit at `now`, in milliseconds since 1970. */
  hit(signature: string, now: number): void
  /** The signatures that storm at `now`. */
  storming(now: number): ReadonlySet<string>
}>

export function createSignatureStorm(): SignatureStorm {
  /** By the step of time that they fell in, oldest first. */
  const steps = new Map<number, Map<string, number>>()

  function forget(now: number): void {
    for (const step of steps.keys()) if ((step + 1) * STEP <= now - WINDOW) steps.delete(step)
  }

  return {
    hit(signature, now) {
      const step = Math.floor(now / STEP)
      const counts = steps.get(step) ?? new Map<string, number>()
      counts.set(signature, (counts.get(signature) ?? 0) + 1)
      steps.set(step, counts)
      forget(now)
    },

    storming(now) {
      forget(now)
      const totals = new Map<string, number>()
      for (const counts of steps.values()) {
        for (const [signature, hits] of counts) totals.set(signature, (totals.get(signature) ?? 0) + hits)
      }
      const all = [...totals.values()].reduce((sum, hits) => sum + hits, 0)
      const many = [...totals].filter(([, hits]) => hits >= LEAST_HITS && hits > LARGEST_SHARE * all)
      return new Set(many.map(([signature]) => signature))
    },
  }
}
