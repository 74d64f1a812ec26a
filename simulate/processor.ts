// The processor of a task: as many servers as it has whole vCPUs, or one slower one; work waits its turn.
import type { Clock } from './clock.ts'
import { createLine, type Wait } from './process.ts'

export type Processor = Readonly<{
  /** Waits for a server, and for so many milliseconds of one vCPU on it. */
  work(milliseconds: number): Wait
  /** Milliseconds of vCPU that were used so far. */
  used(): number
  vcpus: number
}>

export function createProcessor(clock: Clock, vcpus: number): Processor {
  const servers = Math.max(1, Math.floor(vcpus))
  const speed = vcpus / servers
  const waiting = createLine<() => void>()
  let free = servers
  let used = 0

  function end(): void {
    const next = waiting.shift()
    if (next === undefined) free++
    else next()
  }

  return {
    vcpus,
    used: () => used,
    work: milliseconds => go => {
      function begin(): void {
        used += milliseconds
        clock.after(milliseconds / speed, () => {
          go()
          end()
        })
      }
      if (free === 0) return waiting.push(begin)
      free--
      begin()
    },
  }
}
