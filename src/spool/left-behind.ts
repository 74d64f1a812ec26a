// The timers of a gateway that is a whole AWS home by itself: lost wake-ups every minute, orphans every hour, and all of
// them once a day. Where functions do it (functions/sweep-orphans), processes have no such timers. A pass that fails is told.
import type { Log } from '../platform/log.ts'
import { resendWakeUps } from './resend-wake-ups.ts'
import { type OrphanParts, sweepOrphans } from './sweep-orphans.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

type Options = OrphanParts & Readonly<{ backends: Parameters<typeof resendWakeUps>[0] }>

/** Runs until stopped. */
export function startLeftBehind(options: Options): Readonly<{ stop(): Promise<void> }> {
  const stopping = new AbortController()
  const { signal } = stopping
  const { log } = options
  const rounds = [
    round(() => resendWakeUps(options.backends, log), MINUTE, log),
    // Twice the time between them: none falls between two.
    round(() => sweepOrphans({ ...options, signal, window: 2 * HOUR }), HOUR, log),
    round(() => sweepOrphans({ ...options, signal }), DAY, log),
  ]
  return {
    async stop() {
      stopping.abort()
      await Promise.all(rounds.map(stop => stop()))
    },
  }
}

/** One at a time; the function ends it. */
function round(pass: () => Promise<unknown>, interval: number, log: Log): () => Promise<void> {
  let running: Promise<void> | undefined
  const timer = setInterval(() => {
    running ??= pass()
      .then(
        () => {},
        error => log.error({ why: String(error) }, 'left-behind-failed'),
      )
      .finally(() => {
        running = undefined
      })
  }, interval)
  return async () => {
    clearInterval(timer)
    await running
  }
}
