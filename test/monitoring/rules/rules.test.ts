// What holds for all rules: promtool reads them, what they look at exists, gauges are never rated, every alert says who
// is to do what; and the committed files are what the sources say.
import { globSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { drifted, renderAll, writeFiles } from '../../../monitoring/render.ts'
import { alertRules, ruleFiles } from '../../../monitoring/rules/groups.ts'
import { RECORDS } from '../../../monitoring/rules/records.ts'
import { labelsOf, renderRules } from '../../../monitoring/rules/render.ts'
import { DEFAULT_SETTINGS } from '../../../monitoring/thresholds.ts'
import { GROUPS } from '../../../src/platform/catalogue/catalogue.ts'
import { promtool } from './promtool.ts'

const RULES = [...ruleFiles(DEFAULT_SETTINGS).values()].flat().flatMap(({ rules }) => rules)
const ALERTS = alertRules(DEFAULT_SETTINGS)

const TYPES = new Map(GROUPS.flatMap(({ group }) => Object.values(group)).map(({ name, type }) => [name, type]))
/** Not of our making: Prometheus's own, every process's, and Rspamd's. */
const FOREIGN = [
  'up',
  'process_start_time_seconds',
  'rspamd_scanned_total',
  'rspamd_spam_total',
  'rspamd_actions_total',
]
const SERIES = /(?<![\w:"./])(?:elemta|clamav|rspamd|process|up)[\w:]*(?![\w:]*\()/g

/** The names of series in an expression: what stands in quotes, and labels after `by` or `on`, are none. */
function seriesIn(expr: string): string[] {
  const bare = expr.replaceAll(/"[^"]*"/g, '""').replaceAll(/\b(by|on|without|group_left) \([^)]*\)/g, '')
  return [...bare.matchAll(SERIES)].map(([name]) => name)
}

/** The metric of the catalogue that a series belongs to. */
function metricOf(series: string): string {
  const histogram = series.replace(/_(bucket|sum|count)$/, '')
  return TYPES.get(histogram) === 'histogram' ? histogram : series
}

test('promtool reads every rule file', async () => {
  expect(await promtool('check', 'rules', ...globSync('monitoring/prometheus/rules/elemta-*.yml'))).toBe('')
})

test('every series in a rule is in the catalogue, recorded, or known from elsewhere', () => {
  const recorded = new Set(Object.keys(RECORDS))
  const all = RULES.flatMap(({ name, expr }) => seriesIn(expr).map(series => ({ name, series })))
  const unknown = all.filter(
    ({ series }) => !(TYPES.has(metricOf(series)) || recorded.has(series) || FOREIGN.includes(series)),
  )
  expect(all.length).toBeGreaterThan(300)
  expect(unknown).toEqual([])
})

test('every label that a rule asks for is in the catalogue, with its value', () => {
  const definitions = new Map(GROUPS.flatMap(({ group }) => Object.values(group)).map(about => [about.name, about]))
  const asked = RULES.flatMap(({ name, expr }) =>
    [...expr.matchAll(/\b((?:elemta|clamav)_\w+)\{([^}]*)\}/g)].flatMap(([, series, matchers]) =>
      [...matchers!.matchAll(/(\w+)(?:=~?|!=)"([^"]*)"/g)].map(([, label, values]) => ({
        name,
        series,
        label,
        values,
      })),
    ),
  )
  const unknown = asked.filter(({ series, label, values }) => {
    const definition = definitions.get(metricOf(series!))!
    const known = definition.labels?.[label!]
    const bounds = definition.type === 'histogram' && label === 'le' ? definition.buckets.map(String) : []
    const listed = Array.isArray(known) ? known : bounds
    return values!.split('|').some(value => !listed.includes(value.replace('([.]0)?', '')))
  })
  expect(asked.length).toBeGreaterThan(40)
  expect(unknown).toEqual([])
})

test('every recorded series has a rule, and every rule a meaning', () => {
  const names = RULES.filter(({ kind }) => kind === 'record').map(({ name }) => name)
  expect(names.toSorted()).toEqual(Object.keys(RECORDS).toSorted())
})

test('counters are rated before they are summed, gauges and recorded series never', () => {
  const wrong = RULES.flatMap(({ name, expr }) => {
    const rated = [...expr.matchAll(/\b(?:rate|irate|increase)\(([\w:]+)/g)].map(([, series]) => series!)
    const gauges = rated.filter(series => !FOREIGN.includes(series) && TYPES.get(metricOf(series)) === 'gauge')
    const records = rated.filter(series => series.includes(':'))
    const summed = [...expr.matchAll(/\b(?:rate|increase)\(\s*(?:sum|avg|max|min)/g)].map(([text]) => text)
    // A counter that is only compared with zero asks whether there ever was one.
    const counters = seriesIn(expr).filter(series => TYPES.get(metricOf(series)) === 'counter')
    const bare = counters.filter(
      series => !(rated.includes(series) || new RegExp(`absent\\(${series}|max_over_time\\(${series}`).test(expr)),
    )
    return [...gauges, ...records, ...summed, ...bare].map(what => `${name}: ${what}`)
  })
  expect(wrong).toEqual([])
})

test('a share is never 0/0, and no quantile is NaN', () => {
  const divisions = RULES.filter(({ expr }) => / \/ /.test(expr)).filter(({ expr }) =>
    expr.split('\nor\n').some(part => / \/ /.test(part) && !/ \/ (on \(\) group_left \(\) )?\(.+ > 0\)/s.test(part)),
  )
  // What they divide by is a constant, the size of a disk, or held above zero.
  const names = new Set(divisions.map(({ name }) => name.replace(/slo_\w+_budget/, 'budget').replace(/:\w+:z/, ':z')))
  expect([...names].toSorted()).toEqual([
    'DiskSpaceLow',
    'elemta:budget:remaining30d',
    'elemta:disk_free:ratio',
    'elemta:zscore7d',
  ])
  const quantiles = RULES.filter(({ expr }) => expr.includes('histogram_quantile'))
  expect(quantiles.every(({ expr }) => expr.endsWith('>= 0'))).toBe(true)
})

test('every alert says how bad it is, whose it is, how long it must last, and what is the case', () => {
  for (const alert of ALERTS) {
    expect(alert.name).toMatch(/^[A-Z][A-Za-z]+$/)
    expect(alert.for).toBeGreaterThanOrEqual(0)
    expect(labelsOf(alert)).toMatchObject({ severity: alert.severity, team: alert.team })
    expect(alert.summary).toMatch(/^\S.{10,}[^.]$/)
    expect(alert.description).toMatch(/^\S.{20,}\.$/)
  }
  // No two rules send the same alert.
  const identities = ALERTS.map(alert => JSON.stringify([alert.name, labelsOf(alert)]))
  expect(new Set(identities).size).toBe(identities.length)
})

test('the alerts that users know are there under their names', () => {
  const names = new Set(ALERTS.map(({ name }) => name))
  const known = [
    ...['HighActiveConnections', 'QueueSizeGrowing', 'HighDeliveryFailureRate', 'HighAuthFailureRate'],
    ...['LargeGreylistingDatabase', 'HighVirusDetectionRate', 'RspamdHighSpamRate', 'ClamAVDatabaseOutdated'],
    'SecurityScanLatencyHigh',
  ]
  expect(known.filter(name => !names.has(name))).toEqual([])
})

test('each threshold changes when a rule fires, also without its texts', () => {
  const conditions = (settings: typeof DEFAULT_SETTINGS) =>
    JSON.stringify(
      [...ruleFiles(settings).values()]
        .flat()
        .flatMap(({ rules }) => rules)
        .map(rule => [rule.name, rule.expr, rule.kind === 'alert' && rule.for]),
    )
  const shipped = conditions(DEFAULT_SETTINGS)
  const unused = Object.entries(DEFAULT_SETTINGS.thresholds).filter(([name, value]) => {
    const other = value > 0 && value < 1 ? value / 2 : value + 3_600_000
    return (
      conditions({ ...DEFAULT_SETTINGS, thresholds: { ...DEFAULT_SETTINGS.thresholds, [name]: other } }) === shipped
    )
  })
  expect(unused).toEqual([])
})

test('the committed files are what their sources say', () => {
  expect(drifted(renderAll(DEFAULT_SETTINGS), 'monitoring')).toEqual([])
})

test('a site renders its own rules elsewhere, and drift is noticed there', () => {
  const folder = mkdtempSync(join(tmpdir(), 'elemta-render-'))
  try {
    const files = renderRules(DEFAULT_SETTINGS)
    expect(drifted(files, folder)).toEqual([...files.keys()])
    writeFiles(files, folder)
    expect(drifted(files, folder)).toEqual([])
    writeFiles(new Map([['prometheus/rules/elemta-slo.yml', 'groups: []\n']]), folder)
    expect(drifted(files, folder)).toEqual(['prometheus/rules/elemta-slo.yml'])
  } finally {
    rmSync(folder, { recursive: true })
  }
})
