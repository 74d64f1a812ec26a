// Which alerts and panels a metric feeds, read out of the rendered rules and dashboards: what is really asked, not what
// somebody meant to ask. A use through a recorded series is a use of all that is in it.
import { parse } from 'yaml'

export type Uses = Readonly<{
  alerts: readonly string[]
  /** Dashboard's title to the titles of its panels. */
  panels: ReadonlyMap<string, readonly string[]>
}>

/** Uses of each name, and of each recorded series the names in it. */
export type AllUses = Readonly<{ of(name: string): Uses; recorded: ReadonlyMap<string, readonly string[]> }>

type Rule = Readonly<{ alert?: string; record?: string; expr: string }>
type RuleFile = Readonly<{ groups?: readonly Readonly<{ rules: readonly Rule[] }>[] }>
type Panel = Readonly<{
  title?: string
  panels?: readonly Panel[]
  targets?: readonly Readonly<{ expr?: string }>[]
}>
type Dashboard = Readonly<{ title: string; panels?: readonly Panel[] }>
type Asked = Readonly<{ expr: string; alert?: string; panel?: readonly [dashboard: string, panel: string] }>

const RULES = /^prometheus\/rules\/.+\.ya?ml$/
const DASHBOARDS = /^grafana\/dashboards\/.+\.json$/
/** Long-term copies of nearly everything: their uses are those of the copies. */
const COPIED = /^longterm:/

/** `rendered`: texts by path below the folder `monitoring`; what is not there is not used. */
export function findUses(rendered: ReadonlyMap<string, string>): AllUses {
  const texts = (which: RegExp) => [...rendered].filter(([path]) => which.test(path)).map(([, text]) => text)
  const rules = texts(RULES).flatMap(text => (parse(text) as RuleFile).groups?.flatMap(({ rules }) => rules) ?? [])
  const recorded = new Map<string, string[]>()
  for (const { record, expr } of rules) {
    if (record === undefined || COPIED.test(record)) continue
    recorded.set(record, unique([...(recorded.get(record) ?? []), ...namesIn(expr)]))
  }
  const asked: Asked[] = [
    ...rules.flatMap(({ alert, expr }) => (alert === undefined ? [] : [{ expr, alert }])),
    ...texts(DASHBOARDS).flatMap(text => panelsOf(JSON.parse(text) as Dashboard)),
  ]
  const all = asked.map(one => ({ ...one, names: withRecorded(namesIn(one.expr), recorded) }))
  return {
    recorded,
    of(name) {
      const users = all.filter(({ names }) => names.has(name))
      const panels = new Map<string, string[]>()
      for (const { panel } of users) {
        if (panel !== undefined) panels.set(panel[0], unique([...(panels.get(panel[0]) ?? []), panel[1]]))
      }
      return { alerts: unique(users.flatMap(({ alert }) => alert ?? [])), panels }
    },
  }
}

function panelsOf({ title: dashboard, panels = [] }: Dashboard): Asked[] {
  const flat = panels.flatMap(panel => [panel, ...(panel.panels ?? [])])
  return flat.flatMap(({ title = '', targets = [] }) =>
    targets.flatMap(({ expr }) => (expr === undefined ? [] : [{ expr, panel: [dashboard, title] as const }])),
  )
}

/** Words of an expression that can be names of series; a histogram's parts are told as the histogram too. */
function namesIn(expr: string): string[] {
  const bare = expr.replaceAll(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g, '""')
  const words = bare.match(/[a-zA-Z_:][\w:]*/g) ?? []
  return unique(words.flatMap(word => [word, word.replace(/_(bucket|sum|count)$/, '')]))
}

function withRecorded(names: readonly string[], recorded: ReadonlyMap<string, readonly string[]>): Set<string> {
  const found = new Set<string>()
  const add = (name: string) => {
    if (found.has(name)) return
    found.add(name)
    for (const inner of recorded.get(name) ?? []) add(inner)
  }
  for (const name of names) add(name)
  return found
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)]
}
