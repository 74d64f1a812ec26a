// Virtual time: events in a heap, the earliest first, those of one moment in the order in which they were planned.
// Nothing waits for real time. Code of the gateway that waits for promises runs to its end before time goes on: whoever
// settles one says so (`settling`).

export type Timer = { run: (() => void) | undefined }

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
  // Apart, so that comparing looks at numbers that lie side by side.
  const times: number[] = []
  const orders: number[] = []
  const timers: Timer[] = []
  let now = 0
  let planned = 0
  let events = 0
  let unsettled = false

  function put(place: number, at: number, order: number, timer: Timer): void {
    times[place] = at
    orders[place] = order
    timers[place] = timer
  }

  function push(at: number, timer: Timer): void {
    const order = planned++
    let place = times.length
    put(place, at, order, timer)
    while (place > 0) {
      const above = (place - 1) >> 1
      // What is planned later never goes before its equals.
      if (times[above]! <= at) break
      put(place, times[above]!, orders[above]!, timers[above]!)
      place = above
    }
    put(place, at, order, timer)
  }

  function pop(): Timer {
    const first = timers[0]!
    const [at, order, last] = [times.pop()!, orders.pop()!, timers.pop()!]
    const length = times.length
    if (length === 0) return first
    const isBefore = (one: number, time: number, turn: number) =>
      times[one]! < time || (times[one] === time && orders[one]! < turn)
    let place = 0
    for (;;) {
      let below = 2 * place + 1
      if (below >= length) break
      if (below + 1 < length && isBefore(below + 1, times[below]!, orders[below]!)) below++
      if (!isBefore(below, at, order)) break
      put(place, times[below]!, orders[below]!, timers[below]!)
      place = below
    }
    put(place, at, order, last)
    return first
  }

  async function settle(): Promise<void> {
    while (unsettled) {
      unsettled = false
      // A tick comes when no promise has anything left to do, and needs no turn of the event loop.
      await new Promise<void>(resolve => process.nextTick(resolve))
    }
  }

  return {
    now: () => now,
    events: () => events,
    after(milliseconds, run) {
      const timer = { run }
      push(now + Math.max(0, milliseconds), timer)
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
      while (times.length > 0 && times[0]! <= end) {
        const at = times[0]!
        const timer = pop()
        if (timer.run === undefined) continue
        now = at
        events++
        timer.run()
        if (unsettled) await settle()
      }
      now = Math.max(now, end)
    },
  }
}
