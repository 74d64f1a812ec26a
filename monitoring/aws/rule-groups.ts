// The rules as Amazon Managed Service for Prometheus takes them: the same typed rules that Prometheus's files are written
// from, one namespace for each file. Differences are of form only: every group says its interval (the service's own is not
// ours), and none is longer than the service's quota. Rules of a group that was divided may see what another part
// recorded one evaluation earlier.
import { stringify } from 'yaml'
import { formatDuration } from '../../src/platform/config-units.ts'
import { downsamplingRules, RESOLUTIONS } from '../downsampling.ts'
import { ROUTING_FILE } from '../routing/render.ts'
import { loadRouting, type RoutingSettings } from '../routing/settings.ts'
import { ruleFiles } from '../rules/groups.ts'
import { renderGroups } from '../rules/render.ts'
import type { Settings } from '../thresholds.ts'
import { escalationRules } from './escalation.ts'

/** "Rules per rule group" of the service's quotas. */
export const RULES_PER_GROUP = 20

type Grouped<Rule> = Readonly<{ name: string; interval?: number; rules: readonly Rule[] }>

/** Text of each namespace by its name. `routing` says when a critical alert goes to the second in line. */
export function ruleNamespaces(
  settings: Settings,
  routing: Pick<RoutingSettings, 'escalation'> = loadRouting(ROUTING_FILE),
): Map<string, string> {
  const interval = settings.timing.evaluation_interval
  const parts = <Rule>(group: Grouped<Rule>) => divided({ interval, ...group })
  const plain = (groups: readonly Grouped<object>[]) =>
    stringify({ groups: groups.flatMap(parts).map(writeInterval) }, { lineWidth: 0, blockQuote: 'literal' })
  return new Map([
    ...[...ruleFiles(settings)].map(
      ([name, groups]) => [name, renderGroups(groups.flatMap(parts), settings)] as [string, string],
    ),
    ['elemta-escalation', plain([{ name: 'elemta-escalation', rules: escalationRules(settings, routing) }])],
    [
      'elemta-longterm',
      plain(
        RESOLUTIONS.map(resolution => ({
          name: `elemta-longterm-${resolution}`,
          interval: resolution === '5m' ? 300_000 : 3_600_000,
          rules: downsamplingRules(resolution),
        })),
      ),
    ],
  ])
}

function divided<Rule>(group: Grouped<Rule>): Grouped<Rule>[] {
  const parts = Array.from({ length: Math.ceil(group.rules.length / RULES_PER_GROUP) }, (_, n) =>
    group.rules.slice(n * RULES_PER_GROUP, (n + 1) * RULES_PER_GROUP),
  )
  return parts.map((rules, n) => ({ ...group, name: n === 0 ? group.name : `${group.name}-${n + 1}`, rules }))
}

function writeInterval({ name, interval, rules }: Grouped<object>) {
  return { name, ...(interval !== undefined && { interval: formatDuration(interval) }), rules }
}
