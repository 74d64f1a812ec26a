// Bounds how many passwords are checked at the same time, and how many wait for it: guesses must not take the threads
// that write mail, nor all connections of a directory. Who comes when the queue is full is told so at once.
import { createLimit } from '../platform/limit.ts'

export type Turns = <T>(work: () => Promise<T>) => Promise<T | 'full'>

/** First come, first served. */
export function createTurns({ atOnce, waiting }: Readonly<{ atOnce: number; waiting: number }>): Turns {
  const limit = createLimit(atOnce)
  let present = 0

  return async work => {
    if (present >= atOnce + waiting) return 'full'
    present++
    try {
      return await limit(work)
    } finally {
      present--
    }
  }
}
