// What the tests of the dashboards read from PromQL and from the model: metrics and labels that an expression names.
import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard'
import { dashboards } from '../../monitoring/dashboards/all.ts'
import { isPanel } from '../../monitoring/panel-check.ts'
import { DEFAULT_SETTINGS } from '../../monitoring/thresholds.ts'

export const BOARDS = dashboards(DEFAULT_SETTINGS)
export const panelsOf = (uid: string): Panel[] =>
  (BOARDS.find(board => board.uid === uid)?.panels ?? []).filter(isPanel)
export const ALL_PANELS = BOARDS.flatMap(({ uid }) => panelsOf(uid!).map(panel => ({ uid: uid!, panel })))

const WORDS = new Set(['and', 'or', 'unless', 'by', 'without', 'on', 'ignoring', 'group_left', 'bool'])

/** Metrics an expression names, each with the labels that are matched on it. */
export function metricsIn(expr: string): { metric: string; labels: string[] }[] {
  const bare = expr
    .replace(/\b(by|on|without|ignoring|group_left)\s*\([^)]*\)/g, ' ')
    .replace(/\[[^\]]*\]|\boffset \w+/g, ' ')
  return [...bare.matchAll(/([a-zA-Z_:][\w:]*)(\{[^}]*\})?(\s*\()?/g)]
    .filter(([, name, , call]) => call === undefined && !WORDS.has(name!))
    .filter(([, name]) => !/^\d/.test(name!))
    .map(([, name, matchers = '']) => ({
      metric: name!,
      labels: [...matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label]) => label!),
    }))
}

/** Labels by which an expression groups. */
export const groupedBy = (expr: string): string[] =>
  [...expr.matchAll(/\bby\s*\(([^)]*)\)/g)].flatMap(([, labels]) => labels!.split(',').map(label => label.trim()))
