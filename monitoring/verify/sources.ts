// What ought to be there: the rules and dashboards of a folder of rendered files, and which metrics they ask for. Names
// are read out of PromQL without a parser: what remains of an expression when texts, labels and functions are gone.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { parse } from 'yaml'

export type RuleText = Readonly<{
  file: string
  group: string
  name: string
  type: 'alerting' | 'recording'
  expr: string
}>

/** Every rule in `<folder>/prometheus/rules`. A file that is no YAML, or has no groups, throws with its name. */
export function rulesBelow(folder: string): RuleText[] {
  type Rule = Readonly<{ alert?: string; record?: string; expr: string }>
  type RuleFile = Readonly<{ groups?: readonly Readonly<{ name: string; rules: readonly Rule[] }>[] }> | null
  return globSync('prometheus/rules/*.yml', { cwd: folder })
    .sort()
    .flatMap(path => {
      const file = path.replace('prometheus/rules/', '')
      const groups = readAs<RuleFile>(join(folder, path))?.groups ?? []
      return groups.flatMap(({ name: group, rules }) =>
        rules.map(({ alert, record = '', expr }) =>
          alert === undefined
            ? { file, group, name: record, type: 'recording' as const, expr }
            : { file, group, name: alert, type: 'alerting' as const, expr },
        ),
      )
    })
}

/** Every dashboard in `<folder>/grafana/dashboards`. */
export function dashboardsBelow(folder: string): Dashboard[] {
  return globSync('grafana/dashboards/*.json', { cwd: folder })
    .sort()
    .map(path => readAs<Dashboard>(join(folder, path)))
}

function readAs<T>(path: string): T {
  try {
    return parse(readFileSync(path, 'utf8')) as T
  } catch (error) {
    throw new Error(`${path} cannot be read: ${(error as Error).message}`)
  }
}

const WORDS = new Set(['and', 'or', 'unless', 'bool', 'inf', 'nan', 'offset', 'by', 'without', 'on', 'ignoring'])
const TEXTS = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g
const LABEL_LISTS = /\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/gi

/** The series that an expression reads, recorded ones among them. */
export function seriesIn(expr: string): string[] {
  const bare = expr
    .replaceAll(/#.*$/gm, ' ')
    .replaceAll(TEXTS, '""')
    .replaceAll(LABEL_LISTS, ' ')
    .replaceAll(/\{[^}]*\}|\[[^\]]*\]|\boffset\s+-?\w+/g, ' ')
  const names = [...bare.matchAll(/(?<![\w:.])[a-zA-Z_:][\w:]*(?!\s*\(|[\w:])/g)].map(([name]) => name)
  return [...new Set(names.filter(name => !WORDS.has(name.toLowerCase()) && !/^group_(left|right)$/.test(name)))]
}

/** The scraped series behind `names`: recorded ones are followed to what they are made of. */
export function scrapedBehind(names: readonly string[], rules: readonly RuleText[]): Set<string> {
  const made = Map.groupBy(
    rules.filter(({ type }) => type === 'recording'),
    ({ name }) => name,
  )
  const seen = new Set<string>()
  const follow = (name: string) => {
    if (seen.has(name)) return
    seen.add(name)
    for (const { expr } of made.get(name) ?? []) for (const inner of seriesIn(expr)) follow(inner)
  }
  for (const name of names) follow(name)
  return new Set([...seen].filter(name => !made.has(name) && !OWN.test(name)))
}

/** Series that Prometheus makes from its rules. */
const OWN = /^ALERTS(_FOR_STATE)?$/
