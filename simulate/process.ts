// Whatever goes on in virtual time as a generator that yields what it waits for: milliseconds, or a function that is
// given what to call when it is time to go on. A process that throws ends the simulation: it is a fault of its author.
import type { Clock } from './clock.ts'

export type Wait = number | ((go: () => void) => void)
export type Process<T = void> = Generator<Wait, T, void>

/** Runs `process` from now on; `done` is told what it returns. */
export function start<T>(clock: Clock, process: Process<T>, done?: (result: T) => void): void {
  function go(): void {
    const step = process.next()
    if (step.done === true) done?.(step.value)
    else if (typeof step.value === 'number') clock.after(step.value, go)
    else step.value(go)
  }
  go()
}

/** All of them side by side; goes on with what they return when the last has ended. */
export function* together<T>(clock: Clock, processes: readonly Process<T>[]): Process<T[]> {
  const results: T[] = []
  if (processes.length === 0) return results
  yield go => {
    let left = processes.length
    for (const [n, process] of processes.entries()) {
      start(clock, process, result => {
        results[n] = result
        if (--left === 0) go()
      })
    }
  }
  return results
}

/** Waits for a promise of the gateway's own code; true when it was kept. */
export function* settled(promise: Promise<unknown>): Process<boolean> {
  let kept = false
  yield go => {
    promise.then(
      () => {
        kept = true
        go()
      },
      () => go(),
    )
  }
  return kept
}

/** A queue that gives in the order in which it was given. */
export type Line<T> = Readonly<{ push(one: T): void; shift(): T | undefined; first(): T | undefined; length(): number }>

export function createLine<T>(): Line<T> {
  let items: T[] = []
  let head = 0
  return {
    push: one => items.push(one),
    first: () => items[head],
    length: () => items.length - head,
    shift() {
      const one = items[head]
      if (head < items.length) head++
      // Array.shift moves all that is behind it.
      if (head > 1000 && head * 2 > items.length) {
        items = items.slice(head)
        head = 0
      }
      return one
    },
  }
}
