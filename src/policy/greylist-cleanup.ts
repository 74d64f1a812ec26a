// Removes what greylisting no longer needs to remember, once a minute and a little at a time, so that decisions never
// wait long behind it; and keeps the gauge of what it does remember. A store that fails is tried again next time.
import type { PolicyValue } from '../storage/policy-store.ts'
import { readTriplet } from './greylist-decision.ts'
import { CLIENTS, TRIPLETS } from './greylist-key.ts'
import type { PolicyContext } from './policy-context.ts'

const EVERY = 60_000
const BATCH = 200

/** Most of what is deferred once and never comes again is spam. */
function whyOver(value: PolicyValue): 'expired' | 'never-returned' {
  return readTriplet(value)?.passes === 0 ? 'never-returned' : 'expired'
}

/** Begins at once. `stop` resolves when nothing of it runs any more. */
export function startCleanup({
  store,
  log,
  now,
  catalogue,
}: Pick<PolicyContext, 'store' | 'log' | 'now' | 'catalogue'>): Readonly<{ stop(): Promise<void> }> {
  let stopped = false
  let running: Promise<void> | undefined

  async function expireAll(space: string, count: (removed: readonly PolicyValue[]) => void): Promise<void> {
    for (;;) {
      if (stopped) return
      const removed = await store.expire(space, now(), BATCH)
      count(removed)
      if (removed.length < BATCH) return
    }
  }

  async function cleanUp(): Promise<void> {
    try {
      await expireAll(TRIPLETS, removed => {
        for (const value of removed) catalogue.greylistingCleanup.inc(whyOver(value))
      })
      await expireAll(CLIENTS, () => {})
      if (!stopped) catalogue.greylistingActive.set(await store.count(TRIPLETS, now()))
    } catch (err) {
      log.warn({ err }, 'greylist-cleanup-failed')
    }
  }

  function begin() {
    running ??= cleanUp().finally(() => {
      running = undefined
    })
  }
  const timer = setInterval(begin, EVERY).unref()
  begin()

  return {
    async stop() {
      stopped = true
      clearInterval(timer)
      await running
    },
  }
}
