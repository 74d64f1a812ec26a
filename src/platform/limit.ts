// Bounds how much of one kind of work runs at the same time; the rest waits its turn.

export type Limit = <T>(work: () => Promise<T>) => Promise<T>

/** Runs `work` as soon as fewer than `most` are running, first come, first served. */
export function createLimit(most: number): Limit {
  let running = 0
  const queue: (() => void)[] = []

  return async work => {
    if (running >= most) await new Promise<void>(begin => queue.push(begin))
    else running++
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
