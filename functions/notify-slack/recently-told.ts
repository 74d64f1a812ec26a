// Remembers for a while what was told, so that a message that comes twice is told once: topics deliver at least once, and
// Alertmanager runs in several places. In memory only: a new copy of the function may repeat a message, never lose one.

export type RecentlyTold = Readonly<{
  /** Whether `key` was told within the time; `now` in milliseconds. */
  has(key: string, now: number): boolean
  add(key: string, now: number): void
}>

/** Shorter than the pause between two notices of one group, so that a repetition that is meant comes through. */
export function recentlyTold(window = 120_000, most = 1_000): RecentlyTold {
  const told = new Map<string, number>()
  return {
    has: (key, now) => now - (told.get(key) ?? Number.NEGATIVE_INFINITY) < window,
    add(key, now) {
      told.delete(key)
      told.set(key, now)
      for (const [old, at] of told) {
        if (told.size <= most && now - at < window) break
        told.delete(old)
      }
    },
  }
}
