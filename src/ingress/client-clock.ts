// How long a client may still take: for a command, for a piece of DATA, for the session (RFC 5321 §4.5.3.2). While our
// own side decides, the clock stands still. Times in milliseconds of the monotonic clock.
import type { Limits } from './limits.ts'

export type ClientClock = Readonly<{
  /** The client's turn begins: to say a command, or to go on with DATA. */
  turn(inData: boolean): void
  /** Octets of DATA came in. One octet a second is not progress: the rate is kept on average over the time of a turn. */
  progress(octets: number): void
  /** Our turn. */
  stop(): void
  /** So much from now, and no more. */
  last(milliseconds: number): void
  isOver(now: number): boolean
}>

export function startClock({ timeouts, dataRate }: Limits): ClientClock {
  const opened = performance.now()
  const enough = (dataRate * timeouts.data) / 1000
  let deadline = Number.POSITIVE_INFINITY
  let received = 0

  function turn(inData: boolean): void {
    received = 0
    const timeout = inData ? timeouts.data : timeouts.command
    deadline = Math.min(performance.now() + timeout, opened + timeouts.session)
  }

  return {
    turn,
    progress(octets) {
      received += octets
      if (received >= enough) turn(true)
    },
    stop() {
      deadline = Number.POSITIVE_INFINITY
    },
    last(milliseconds) {
      deadline = performance.now() + milliseconds
    },
    isOver: now => now >= deadline,
  }
}
