// Is every rule of the folder loaded, and does each work? A server that refused its files goes on with the old ones and
// says nothing unless it is asked: that is asked first.
import type { Check } from './check.ts'
import { askText, plural } from './check.ts'
import { askPrometheus } from './prometheus.ts'
import { type RuleText, rulesBelow } from './sources.ts'

type LoadedRule = Readonly<{ name: string; type: 'alerting' | 'recording'; health: string; lastError?: string }>
type LoadedGroup = Readonly<{ name: string; interval: number; rules: readonly LoadedRule[] }> // interval: seconds

export type Rules = Check & Readonly<{ alerts: string }>

/** `folder`: where `prometheus/rules/*.yml` are that ought to be loaded. */
export async function checkRules(prometheus: string, folder: string): Promise<Rules> {
  const { expected, unreadable } = readRules(folder)
  const { groups } = await askPrometheus<{ groups: readonly LoadedGroup[] }>(prometheus, '/api/v1/rules')
  const refused = await refusedReload('Prometheus', prometheus, 'prometheus')
  const left = new Map<string, number>()
  for (const group of groups) {
    for (const rule of group.rules) left.set(keyOf(group.name, rule), (left.get(keyOf(group.name, rule)) ?? 0) + 1)
  }
  const missing = expected.filter(rule => {
    const count = left.get(keyOf(rule.group, rule)) ?? 0
    left.set(keyOf(rule.group, rule), count - 1)
    return count <= 0
  })
  const ours = new Set(expected.map(({ group }) => group))
  const own = groups.filter(({ name }) => ours.has(name))
  const sick = own.flatMap(({ name, rules }) =>
    rules
      .filter(({ health }) => health === 'err')
      .map(rule => `rule ${rule.name} (${name}) fails: ${rule.lastError ?? 'Prometheus does not say why'}`),
  )
  const waiting = await notEvaluated(prometheus, own)
  const lost = missing.length === 0 ? [] : [tellMissing(missing, folder)]
  const count = expected.length - missing.length
  const alerts = new Set(expected.filter(({ type }) => type === 'alerting').map(({ name }) => name))
  const gone = new Set(missing.filter(({ type }) => type === 'alerting').map(({ name }) => name))
  return {
    name: 'rules',
    summary: `${count}/${expected.length} loaded${sick.length === 0 ? ', none fails' : `, ${sick.length} not healthy`}`,
    problems: [...refused, ...unreadable, ...lost, ...sick, ...waiting.problems],
    notes: waiting.notes,
    alerts: `${alerts.size - gone.size}/${alerts.size}`,
  }
}

/** A sentence when the server refused its files at the last reload. `prefix`: of its own metrics. */
export async function refusedReload(name: string, url: string, prefix: string): Promise<string[]> {
  const own = await askText(`${url}/metrics`)
  if (!new RegExp(`^${prefix}_config_last_reload_successful 0$`, 'm').test(own)) return []
  const tool = prefix === 'prometheus' ? 'promtool check config prometheus.yml' : 'amtool check-config alertmanager.yml'
  return [
    `${name} refused its files at the last reload and goes on with those before: \`${tool}\` says why; mend them ` +
      `(scripts/setup-monitoring.sh writes them anew), then: curl -X POST ${url}/-/reload`,
  ]
}

const keyOf = (group: string, { name, type }: Pick<LoadedRule, 'name' | 'type'>) => `${group}/${type}/${name}`

/** Groups without an evaluation yet: usual for those of an hour in a server that has just been started. */
async function notEvaluated(prometheus: string, groups: readonly LoadedGroup[]) {
  type Info = Readonly<{ startTime: string }>
  const { startTime } = await askPrometheus<Info>(prometheus, '/api/v1/status/runtimeinfo')
  const runs = (Date.now() - Date.parse(startTime)) / 1000
  const waiting = groups.filter(({ rules }) => rules.some(({ health }) => health === 'unknown'))
  const tell = ({ name, interval }: LoadedGroup) => `group ${name} is evaluated every ${interval} s, and was not yet`
  const overdue = (group: LoadedGroup) => runs > 2 * group.interval
  return {
    problems: waiting.filter(overdue).map(group => `${tell(group)}: is Prometheus overloaded? See its log`),
    notes: waiting.filter(group => !overdue(group)).map(tell),
  }
}

function readRules(folder: string): { expected: RuleText[]; unreadable: string[] } {
  try {
    return { expected: rulesBelow(folder), unreadable: [] }
  } catch (error) {
    return { expected: [], unreadable: [(error as Error).message] }
  }
}

function tellMissing(missing: readonly RuleText[], folder: string): string {
  const files = [...new Set(missing.map(({ file }) => file))].join(', ')
  const names = missing.map(({ name }) => name)
  const some = names.slice(0, 5).join(', ') + (names.length > 5 ? ', …' : '')
  return (
    `${plural(missing.length, 'rule')} of ${folder}/prometheus/rules (${files}) not loaded: ${some}; ` +
    'see that rule_files names them, then reload Prometheus'
  )
}
