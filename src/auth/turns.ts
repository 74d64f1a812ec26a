// Bounds how many passwords are checked at the same time, and how many wait for it: guesses must not take the threads
// that write mail, nor all connections of a directory. Who comes when the queue is full is told so at once.

export type Turns = <T>(work: () => Promise<T>) => Promise<T | 'full'>

/** First come, first served. */
export function createTurns({ atOnce, waiting }: Readonly<{ atOnce: number; waiting: number }>): Turns {
  let running = 0
  const queue: (() => void)[] = []

  return async work => {
    if (running < atOnce) running++
    else if (queue.length >= waiting) return 'full'
    else await new Promise<void>(begin => queue.push(begin))
    try {
      return await work()
    } finally {
      // The place goes to the next in the queue, who does not count again.
      const next = queue.shift()
      if (next === undefined) running--
      else next()
    }
  }
}
