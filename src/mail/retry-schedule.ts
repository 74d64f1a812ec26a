// When to try again: pure arithmetic, with time and chance passed in.

export type RetrySchedule = Readonly<{
  /** Delays after the first, second … attempt in milliseconds; the last one repeats. */
  delays: readonly number[]
  /** Milliseconds after acceptance at which to give up (Postfix: maximal_queue_lifetime). */
  lifetime: number
}>

/** Delays differ by up to this share, so that what failed together is not retried together. */
const JITTER = 0.1

/**
 * When to make the attempt after number `attempt` (1, 2 …), in milliseconds since 1970; undefined when the lifetime
 * is over. The last attempt falls on the end of the lifetime, never behind it.
 */
export function nextAttemptAt(
  { delays, lifetime }: RetrySchedule,
  { attempt, acceptedAt, now }: Readonly<{ attempt: number; acceptedAt: number; now: number }>,
  random: () => number = Math.random,
): number | undefined {
  const expiresAt = acceptedAt + lifetime
  if (now >= expiresAt) return undefined
  const delay = delays[Math.min(attempt, delays.length) - 1] ?? 0
  return Math.min(now + Math.round(delay * (1 + JITTER * (2 * random() - 1))), expiresAt)
}
