// Messages per time to one destination: who has no turn yet is sent away with a time to come again, instead of waiting.
// Those sent away are told times one after the other, so that they do not all come for the same turn.
import type { Rate } from '../platform/config-fields.ts'
import { nextTurn, turnInterval } from './rate-limit.ts'

export type SendRate = Readonly<{
  /** Takes a turn: undefined. Or there is none: when to come again, milliseconds since 1970. */
  take(now: number): number | undefined
}>

export function createSendRate(rate: Rate): SendRate {
  let previous: number | undefined
  let promised = 0

  return {
    take(now) {
      const turn = nextTurn(previous, rate, now)
      // A clock that was put back must not stop the mail.
      if (turn.at <= now || turn.at > now + 2 * rate.period) {
        previous = Math.min(turn.previous, now)
        return undefined
      }
      promised = Math.max(turn.at, promised + turnInterval(rate))
      return Math.ceil(promised)
    },
  }
}
