// Watchdog, proven: it fires all the time and the dead-man's switch hears of it; a fault of the watchers silences it,
// which is what the switch sounds the alarm for; then it is heard again.
import type { Fault } from './fault.ts'
import { type Proving, type Row, waitFor } from './prove.ts'
import { DEAD_MAN_EVERY } from './settings.ts'
import type { Stack } from './stack.ts'

/** A switch that misses three signs sounds the alarm. */
const SILENCE = 3 * DEAD_MAN_EVERY

export async function proveSilence(fault: Fault, stack: Stack, proving: Proving): Promise<Row[]> {
  const problems: string[] = []
  const until = (what: string, look: () => Promise<boolean>) => waitFor(look, { ...proving, problems, what })
  const last = () => stack.signsOfLife().at(-1) ?? 0
  const heardSince = (then: number, signs: number) =>
    until('no sign of life', async () => stack.signsOfLife().filter(at => at >= then).length >= signs)
  const secondsSince = (then: number) => Math.round((Date.now() - then) / 100) / 10

  const fired = await until('it does not fire', async () =>
    (await stack.prometheus().alerts()).some(
      ({ labels, state }) => labels.alertname === 'Watchdog' && state === 'firing',
    ),
  )
  const heard = await heardSince(Date.now(), 2)
  const injectedAt = Date.now()
  let silent = false
  let [detectSeconds, resolveSeconds] = [0, 0]
  let resolved = false
  try {
    await fault.inject(stack)
    silent = await until('it was not silent', async () => Date.now() - Math.max(last(), injectedAt) > SILENCE)
    detectSeconds = secondsSince(injectedAt)
    const healedAt = Date.now()
    await fault.heal(stack)
    resolved = await heardSince(healedAt, 2)
    resolveSeconds = secondsSince(healedAt)
  } catch (error) {
    proving.signal.throwIfAborted()
    problems.push((error as Error).message)
  }
  const times = { detectSeconds, resolveSeconds }
  return fault.proves.map(({ alert, severity, labels = {} }) => {
    const to = ['dead-mans-switch'] as const
    return {
      alert,
      severity,
      labels,
      fault: fault.what,
      to,
      fired,
      routed: heard && silent,
      resolved,
      ...times,
      problems,
    }
  })
}
