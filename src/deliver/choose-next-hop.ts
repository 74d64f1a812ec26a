// The order in which several next hops are tried: the lowest priority first, among equals at random by weight, and
// those that failed a while ago behind all others. Nothing is left out: when all are resting all are tried.
import { type NextHop, nextHopKey } from './next-hop.ts'

/** `priority`: lower ones first. `weight`: the share among those of one priority. */
export type RankedNextHop = Readonly<{ nextHop: NextHop; priority: number; weight: number }>

export type NextHopChoice = Readonly<{
  order(candidates: readonly RankedNextHop[]): NextHop[]
  /** No session came about, or it broke: behind the others for a while. */
  failed(nextHop: NextHop): void
  worked(nextHop: NextHop): void
}>

export type ChoiceOptions = Readonly<{
  now: () => number
  /** From 0 up to 1. */
  random: () => number
  /** Milliseconds behind the others. */
  rest?: number
}>

const REST = 60_000
const MOST_REMEMBERED = 10_000

export function createNextHopChoice({ now, random, rest = REST }: ChoiceOptions): NextHopChoice {
  const failedAt = new Map<string, number>()

  function isResting(nextHop: NextHop): boolean {
    const at = failedAt.get(nextHopKey(nextHop))
    // A clock that was put back must not prolong it.
    return at !== undefined && Math.abs(now() - at) < rest
  }

  return {
    order(candidates) {
      const ranked = inOrder(candidates, random)
      return [...ranked.filter(nextHop => !isResting(nextHop)), ...ranked.filter(isResting)]
    },
    failed(nextHop) {
      const key = nextHopKey(nextHop)
      failedAt.delete(key)
      failedAt.set(key, now())
      if (failedAt.size > MOST_REMEMBERED) failedAt.delete(failedAt.keys().next().value!)
    },
    worked(nextHop) {
      failedAt.delete(nextHopKey(nextHop))
    },
  }
}

function inOrder(candidates: readonly RankedNextHop[], random: () => number): NextHop[] {
  const byPriority = Map.groupBy(candidates, ({ priority }) => priority)
  const priorities = [...byPriority.keys()].toSorted((a, b) => a - b)
  return priorities.flatMap(priority => byWeight(byPriority.get(priority)!, random))
}

/** Drawn one after the other, each with the chance of its weight among those left (as RFC 2782 does for SRV). */
function byWeight(equals: readonly RankedNextHop[], random: () => number): NextHop[] {
  const left = [...equals]
  const drawn: NextHop[] = []
  while (left.length > 0) {
    let point = random() * left.reduce((sum, { weight }) => sum + weight, 0)
    const index = left.findIndex(({ weight }) => {
      point -= weight
      return point < 0
    })
    drawn.push(...left.splice(index, 1).map(({ nextHop }) => nextHop))
  }
  return drawn
}
