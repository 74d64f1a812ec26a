// The whole monitoring, checked as it runs: targets, scanners, rules, metrics, panels, Grafana, a notification. Every
// check is made whatever the others found; one whose server does not answer says so and what to start.
import { type Check, Unreachable } from './check.ts'
import { checkGrafana, type Grafana } from './grafana.ts'
import { checkLive, type Live } from './live.ts'
import { checkNotification, type Severity } from './notification.ts'
import { checkRules, type Rules } from './rules.ts'
import { checkScanners } from './scanners.ts'
import { checkTargets } from './targets.ts'

export type VerifyOptions = Readonly<{
  prometheus: string
  alertmanager: string
  grafana: Grafana
  /** Rendered files: what ought to be loaded. */
  folder: string
  allowQuiet: boolean
  /** Of the test notification; none: nothing is sent. */
  notify: Severity | 'none'
  onCheck?(check: Check): void
}>

export type Verification = Readonly<{
  ok: boolean
  checks: readonly Check[]
  /** `alerts 36/36 loaded, metrics 141/141 live, panels 97/97 with data` */
  figures: string
}>

export async function verify(options: VerifyOptions): Promise<Verification> {
  const { prometheus, alertmanager, grafana, folder, allowQuiet, notify, onCheck = () => {} } = options
  const checks: Check[] = []
  const start = 'start it: scripts/start-monitoring.sh, or the container stack'
  async function check<T>(
    name: string,
    make: () => Promise<T>,
    found: (result: T) => readonly Check[],
  ): Promise<T | undefined> {
    let result: T | undefined
    let made: readonly Check[]
    try {
      result = await make()
      made = found(result)
    } catch (error) {
      const { message } = error as Error
      const problem = error instanceof Unreachable ? `${message}: ${start}` : message
      made = [{ name, summary: 'could not be checked', problems: [problem] }]
    }
    checks.push(...made)
    made.forEach(onCheck)
    return result
  }
  const one = (found: Check) => [found]
  await check('targets', () => checkTargets(prometheus), one)
  await check('scanners', () => checkScanners(prometheus), one)
  const rules = await check<Rules>('rules', () => checkRules(prometheus, folder), one)
  const live = await check<Live>(
    'metrics',
    () => checkLive(prometheus, { folder, allowQuiet }),
    ({ checks }) => checks,
  )
  await check('grafana', () => checkGrafana(folder, grafana), one)
  if (notify !== 'none') await check('notification', () => checkNotification(alertmanager, notify), one)
  const figures = [
    `alerts ${rules?.alerts ?? 'unknown'} loaded`,
    `metrics ${live?.metrics ?? 'unknown'} live`,
    `panels ${live?.panels ?? 'unknown'} with data`,
  ].join(', ')
  return { ok: checks.every(({ problems }) => problems.length === 0), checks, figures }
}

/** For a terminal: a line a check, problems and notes below it. */
export function formatCheck({ name, summary, problems, notes = [] }: Check): string {
  const state = problems.length === 0 ? 'ok     ' : 'FAILED '
  const more = [...problems.map(text => `          ${text}`), ...notes.map(text => `          note: ${text}`)]
  return [`${state} ${name.padEnd(13)} ${summary}`, ...more].join('\n')
}
