// What a run of freshclam came to, and when the next one may be. Pure.
// Its exit code says little: it is 0 while the mirror has told it to stay away (429, 403), and after a custom database
// could not be fetched. So its words count, and the cool-down that it notes in freshclam.dat.

export type UpdateReport =
  | Readonly<{ kind: 'updated'; databases: readonly string[] }>
  | Readonly<{ kind: 'current' }>
  | Readonly<{ kind: 'cool-down'; until: number }>
  | Readonly<{ kind: 'failed'; why: string }>

/** What is remembered between runs, and between starts: a gateway that is started over and over asks no more often. */
export type UpdateHistory = Readonly<{
  attemptedAt?: number // milliseconds since 1970, as all of them
  succeededAt?: number // newer signatures, or none newer than ours
  cooldownUntil?: number
  failures: number // since the last success
  why?: string // of the last failure
}>

const FIRST_RETRY = 5 * 60_000
const AFTER_COOLDOWN = 60_000

/** `until` is the cool-down of freshclam.dat. */
export function readReport(code: number | null, output: string, until: number | undefined, now: number): UpdateReport {
  const printed = [...output.matchAll(/cool-down until after: (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)/g)]
  const cooldown = Math.max(until ?? 0, ...printed.map(([, day, time]) => Date.parse(`${day}T${time}Z`)))
  if (cooldown > now) return { kind: 'cool-down', until: cooldown }

  const errors = [...output.matchAll(/^ERROR: (.+?)\.?$/gm)].map(match => match[1]!)
  const databases = [...output.matchAll(/^(\S+) updated \(version/gm)].map(match => match[1]!)
  const current = /^\S+ (database )?is (already )?up-to-date/m.test(output)
  const missed = errors.some(error => error.startsWith("Can't download"))
  if (code === 0 && !missed && databases.length > 0) return { kind: 'updated', databases }
  if (code === 0 && !missed && current) return { kind: 'current' }
  // The first ones tell the cause, the others what followed from it.
  const why = [...new Set(errors)]
    .slice(0, 2)
    .join('; ')
    .replaceAll(/ ERROR:\s+Message:/g, ':')
    .slice(0, 300)
  return { kind: 'failed', why: why || `ended with ${code === null ? 'a signal' : `exit code ${code}`}` }
}

/** freshclam.dat: a name, its version (1), a UUID, and a time_t until which the mirror is left alone; 0: no cool-down. */
export function readCooldown(file: Buffer): number | undefined {
  const COOLDOWN_AT = 61
  const known = file.length >= COOLDOWN_AT + 8 && file.toString('latin1', 0, 13) === 'FreshClamData' && file[13] === 1
  const seconds = known ? Number(file.readBigInt64LE(COOLDOWN_AT)) : 0
  return seconds > 0 && seconds < 1e11 ? seconds * 1000 : undefined
}

/** The history after a run that was begun at `attemptedAt`. */
export function afterRun(history: UpdateHistory, report: UpdateReport, attemptedAt: number): UpdateHistory {
  const { succeededAt, failures } = history
  const before = succeededAt === undefined ? {} : { succeededAt }
  switch (report.kind) {
    case 'updated':
    case 'current':
      return { attemptedAt, succeededAt: attemptedAt, failures: 0 }
    case 'cool-down':
      return { ...before, attemptedAt, failures, cooldownUntil: report.until }
    case 'failed':
      return { ...before, attemptedAt, failures: failures + 1, why: report.why }
  }
}

/**
 * When freshclam may run next: at once the first time, then every `interval`; after failures in 5 minutes, doubled by
 * each up to the interval; during a cool-down not at all. `spread`, 0 to 1, keeps many gateways from coming together.
 */
export function nextUpdate(history: UpdateHistory, interval: number, spread: number): number {
  const { attemptedAt, cooldownUntil = 0, failures } = history
  if (attemptedAt === undefined) return 0
  const delay = failures === 0 ? interval : Math.min(interval, FIRST_RETRY * 2 ** (failures - 1))
  const due = attemptedAt + delay * (1 + spread / 10)
  return cooldownUntil === 0 ? due : Math.max(due, cooldownUntil + AFTER_COOLDOWN)
}
