// How a destination (one next hop, several that stand for each other, or the servers of a domain) is doing: pure steps
// from state to state, time and chance passed in.
// Failures in a row that concern the connection or the session take it down for a growing time; behind that one probe
// at a time goes there. While it works its window of connections opens by one for each success, a failure halves it.

export type BackOff = Readonly<{
  /** Failures in a row after which attempts stop. */
  failures: number
  /** Milliseconds of the first pause and of the longest; each failed probe doubles it. */
  shortest: number
  longest: number
  /** Connections to a destination that nobody knows yet. */
  initialWindow: number
}>

export const DEFAULT_BACK_OFF: BackOff = { failures: 3, shortest: 30_000, longest: 900_000, initialWindow: 5 }

export type Health = Readonly<{
  /** In a row. */
  failures: number
  /** Connections that may be used at the same time. */
  window: number
  down?: Readonly<{ since: number; until: number; pause: number; why: string; probing: boolean }>
}>

export type Admission = 'open' | 'probe' | Readonly<{ why: string; retryAt: number }>

/** Up to this share more or less, so that what failed together is not tried together. */
const JITTER = 0.2

export function newHealth({ initialWindow }: BackOff): Health {
  return { failures: 0, window: initialWindow }
}

/** May an attempt begin? When not: why, and when to ask again, spread so that not everybody comes at once. */
export function admit({ down }: Health, now: number, random: () => number): Admission {
  if (down === undefined) return 'open'
  const why = `destination down since ${new Date(down.since).toISOString()}: ${down.why}`
  const left = down.until - now
  // A clock that was put back must not prolong the pause.
  const isPausing = left > 0 && left <= down.pause * (1 + JITTER)
  if (isPausing) return { why, retryAt: Math.ceil(now + left + (random() * down.pause) / 4) }
  if (!down.probing) return 'probe'
  return { why, retryAt: Math.ceil(now + (Math.min(down.pause, 60_000) * (1 + random())) / 4) }
}

/** A probe is on its way: nobody else goes until its end is known. */
export function probing(health: Health): Health {
  return health.down === undefined ? health : { ...health, down: { ...health.down, probing: true } }
}

/** The next hop served us, whatever it said about the message. After a probe connections come slowly: 1, 2, 4 … */
export function succeeded({ window, down }: Health, most: number): Health {
  return { failures: 0, window: down === undefined ? Math.min(most, window + 1) : 1 }
}

/** No session came about, or it broke. What was under way when the destination went down changes nothing. */
export function failed(
  health: Health,
  { why, wasProbe, now }: Readonly<{ why: string; wasProbe: boolean; now: number }>,
  { failures: most, shortest, longest }: BackOff,
  random: () => number,
): Health {
  const { down } = health
  const failures = health.failures + 1
  const window = Math.max(1, Math.floor(health.window / 2))
  if (down === undefined ? failures < most : !wasProbe) return { ...health, failures, window }
  const pause = down === undefined ? shortest : Math.min(longest, down.pause * 2)
  const until = now + pause * (1 + JITTER * (2 * random() - 1))
  return { failures, window: 1, down: { since: down?.since ?? now, until, pause, why, probing: false } }
}

/** A probe that told nothing: called off, or trouble with this message alone. Another one may go. */
export function undecided(health: Health, wasProbe: boolean): Health {
  if (!wasProbe || health.down === undefined) return health
  return { ...health, down: { ...health.down, probing: false } }
}
