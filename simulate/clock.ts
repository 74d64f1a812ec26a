// Virtual time: events in a heap, the earliest first, those of one moment in the order in which they were planned.
// Nothing waits for real time. Code of the gateway that settles promises runs to its end before time goes on: whoever
// settles one says so (`settling`), and only then is the event loop given a turn, which is what makes this slow.

export type Timer = { readonly at: number; readonly order: number; run: (() => void) | undefined }

export type Clock = Readonly<{
  /** Milliseconds since the beginning. */
  now(): number
  after(milliseconds: number, run: () => void): Timer
  cancel(timer: Timer): void
  /** A promise is being settled: what follows from it belongs to this moment. */
  settling(): void
  /** Runs what is planned up to `end`, milliseconds; what is planned behind it stays. Rejects with what an event throws. */
  runUntil(end: number): Promise<void>
  /** How many events there were. */
  events(): number
}>

export function createClock(): Clock {
  const heap: Timer[] = []
  let now = 0
  let planned = 0
  let events = 0
  let unsettled = false

  const isBefore = (a: Timer, b: Timer) => a.at < b.at || (a.at === b.at && a.order < b.order)

  function push(timer: Timer): void {
    let place = heap.length
    heap.push(timer)
    while (place > 0) {
      const above = (place - 1) >> 1
      if (!isBefore(timer, heap[above]!)) break
      heap[place] = heap[above]!
      place = above
    }
    heap[place] = timer
  }

  function pop(): Timer {
    const first = heap[0]!
    const last = heap.pop()!
    if (heap.length === 0) return first
    let place = 0
    for (;;) {
      let below = 2 * place + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below++
      if (!isBefore(heap[below]!, last)) break
      heap[place] = heap[below]!
      place = below
    }
    heap[place] = last
    return first
  }

  async function settle(): Promise<void> {
    while (unsettled) {
      unsettled = false
      await new Promise<void>(resolve => setImmediate(resolve))
    }
  }

  return {
    now: () => now,
    events: () => events,
    after(milliseconds, run) {
      const timer = { at: now + Math.max(0, milliseconds), order: planned++, run }
      push(timer)
      return timer
    },
    cancel(timer) {
      timer.run = undefined
    },
    settling() {
      unsettled = true
    },
    async runUntil(end) {
      if (unsettled) await settle()
      while (heap.length > 0 && heap[0]!.at <= end) {
        const timer = pop()
        if (timer.run === undefined) continue
        now = timer.at
        events++
        timer.run()
        if (unsettled) await settle()
      }
      now = Math.max(now, end)
    },
  }
}
