// Pages for whoever is called at night say nothing that is not there: every alert has its runbook, and the commands,
// metrics, labels, log events, settings and defaults that runbooks and operators' pages name exist as they say.
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { Command } from 'commander'
import { beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { renderAll } from '../../monitoring/render.ts'
import { alertRules } from '../../monitoring/rules/groups.ts'
import { RECORDS } from '../../monitoring/rules/records.ts'
import { DEFAULT_SETTINGS, settingsSchema, type ThresholdName } from '../../monitoring/thresholds.ts'
import { GROUPS } from '../../src/platform/catalogue/catalogue.ts'
import { DEFAULTS, SETTINGS } from './config-keys.ts'
import { commandsIn, elemtaCallsIn, eventsIn, mistakeIn, readPage, sectionOf } from './operators-text.ts'
import { promtool } from './rules/promtool.ts'

const RUNBOOKS = globSync('monitoring/runbooks/[A-Z]*.md').filter(file => basename(file) !== 'README.md')
const OTHERS = ['monitoring/runbooks/README.md', 'docs/troubleshooting.md', 'docs/operations.md'].filter(existsSync)
const PAGES = [...RUNBOOKS, ...OTHERS].map(readPage)
const SECTIONS = ['Meaning', 'Impact', 'Diagnosis', 'Mitigation', 'Drill', 'Related']
const ALERTS = alertRules(DEFAULT_SETTINGS)
const METRICS = new Map(GROUPS.flatMap(({ group }) => Object.values(group)).map(one => [one.name, one]))
/** What every page may call besides `elemta`. */
const PROGRAMS = [
  ...['amtool', 'awk', 'cat', 'cp', 'curl', 'cut', 'df', 'du', 'free', 'grep', 'head', 'jq', 'kill', 'ls', 'openssl'],
  ...['pgrep', 'promtool', 'sort', 'sqlite3', 'ss', 'swaks', 'tail', 'uniq', 'npm', 'tar', 'git', 'systemctl', 'mv'],
]

const FILES = /\.(md|db|log|ya?ml|lock|json|key|conf|sqlite)$/
/** Prometheus' own keys. */
const PROMETHEUS = ['metric_relabel_configs']

const program = new Command('elemta')
beforeAll(async () => {
  for (const file of globSync('bin/commands/*.ts')) {
    const { register } = (await import(/* @vite-ignore */ `../../${file}`)) as { register?: (program: Command) => void }
    register?.(program)
  }
})

test('every alert has its runbook, and every runbook its alert', () => {
  const rendered = [...renderAll(DEFAULT_SETTINGS).values()].join('\n')
  const linked = [...rendered.matchAll(/runbook_url: \S*\/runbooks\/(\w+)\.md/g)].map(([, name]) => name)
  expect(RUNBOOKS.map(file => basename(file, '.md')).sort()).toEqual([...new Set(linked)].sort())
})

describe.each(RUNBOOKS.map(readPage))('$file', page => {
  const name = basename(page.file, '.md')
  const rules = ALERTS.filter(rule => rule.name === name)

  test('has its sections in order, and is short', () => {
    expect(page.text.startsWith(`# ${name}\n`)).toBe(true)
    expect(page.sections).toEqual(SECTIONS)
    for (const title of SECTIONS) expect(sectionOf(page, title).trim(), title).not.toBe('')
    expect(page.text.split('\n').length).toBeLessThan(95)
  })

  test('says who is concerned, and every threshold with its default', () => {
    // Grafana alone has MonitoringDown.
    if (rules.length === 0) return expect(name).toBe('MonitoringDown')
    const severities = [...new Set(rules.map(({ severity }) => severity))].sort().reverse().join(', ')
    const [{ team, dashboard } = ALERTS[0]!] = rules
    const said = page.text.split('\n')[2]
    expect(said).toBe(`${severities} · team ${team} · dashboard ${dashboard}`)
    const meaning = sectionOf(page, 'Meaning').replaceAll('\n', ' ')
    const named = [...meaning.matchAll(/`(\w+)` \(([^)]+)\)/g)]
    const missing = rules.flatMap(({ thresholds }) => thresholds).filter(key => !named.some(([, said]) => said === key))
    expect(missing).toEqual([])
  })

  test('drills its own alert', () => {
    expect(sectionOf(page, 'Drill')).toContain(`\nnpx elemta drill ${rules.length === 0 ? 'Watchdog' : name}\n`)
  })
})

describe.each(PAGES)('$file', page => {
  test('calls programs that there are, and elemta as it can be called', () => {
    const strange = page.shell.flatMap(commandsIn).map(([first]) => first ?? '')
    expect(strange.filter(first => !['npx', 'elemta', ...PROGRAMS].includes(first))).toEqual([])
    const calls = page.code.flatMap(elemtaCallsIn)
    expect(calls.map(words => [words.join(' '), mistakeIn(program, words)]).filter(([, why]) => why)).toEqual([])
  })

  test('names metrics, labels and their values as the gateway has them', () => {
    const asked = [...page.promql, ...page.code]
    const series = asked.flatMap(code => code.match(/\b(?:elemta|clamav)(?:_\w+)?(?::[\w:]+|(?<=_\w+))/g) ?? [])
    const known = (name: string) =>
      METRICS.has(name) || METRICS.has(name.replace(/_(bucket|sum|count)$/, '')) || name in RECORDS
    expect(series.filter(name => !known(name) && !/_$|_\(|^clamav_queue_items$/.test(name))).toEqual([])
    expect(asked.flatMap(wrongLabels)).toEqual([])
  })

  test('looks for log events that are documented', () => {
    const documented = readFileSync('docs/logs.md', 'utf8')
    expect(eventsIn(page).filter(event => !documented.includes(`\`${event}\``) && event !== 'could')).toEqual([])
  })

  test('names settings that there are, with their defaults', () => {
    const words = page.code.filter(code => /^[a-z]+(_[a-z]+)*([._][a-z_]+)+$/.test(code) && !FILES.test(code))
    const isKey = (word: string) => SETTINGS.has(word) || word in DEFAULT_SETTINGS.thresholds
    expect(words.filter(word => !isKey(word) && !METRICS.has(word) && !PROMETHEUS.includes(word))).toEqual([])
    const said = [...page.text.matchAll(/`([a-z_.]+)`\s\(([^);]+)\)/g)].map(([, key = '', value = '']) => ({
      key,
      value,
    }))
    const wrong = said.filter(({ key, value }) => {
      if (key in DEFAULT_SETTINGS.thresholds) return !isThreshold(key as ThresholdName, value)
      return DEFAULTS.has(key) && DEFAULTS.get(key) !== value
    })
    expect(wrong).toEqual([])
  })

  test('links to pages that there are', () => {
    expect(page.links.filter(target => !existsSync(join(dirname(page.file), target)))).toEqual([])
  })
})

test('whoever begins at the README finds every page', () => {
  const found = new Set(['README.md'])
  for (const file of found) {
    for (const link of readPage(file).links) {
      const target = join(dirname(file), link)
      if (target.endsWith('.md') && existsSync(target)) found.add(target)
    }
  }
  expect(globSync('{docs,monitoring/runbooks}/*.md').filter(file => !found.has(file))).toEqual([])
})

test('every question is PromQL', async () => {
  const expressions = PAGES.flatMap(({ promql }) => promql)
  expect(expressions.length).toBeGreaterThan(90)
  const folder = mkdtempSync(join(tmpdir(), 'elemta-runbooks-'))
  try {
    const rules = [...new Set(expressions)].map((expr, index) => ({ record: `question:${index}`, expr }))
    writeFileSync(join(folder, 'questions.yml'), stringify({ groups: [{ name: 'questions', rules }] }))
    expect(await promtool('check', 'rules', join(folder, 'questions.yml'))).toBe('')
  } finally {
    rmSync(folder, { recursive: true })
  }
})

/** Labels in `metric{…}` that the catalogue does not have, or not with that value. */
function wrongLabels(code: string): string[] {
  return [...code.matchAll(/\b((?:elemta|clamav)_\w+)\{([^}]*)\}/g)].flatMap(([all, name = '', matchers = '']) => {
    const metric = METRICS.get(name) ?? METRICS.get(name.replace(/_(bucket|sum|count)$/, ''))
    return [...matchers.matchAll(/(\w+)=~?"([^"]*)"/g)].flatMap(([, label = '', value = '']) => {
      const values = metric?.labels?.[label]
      if (values === undefined) return [`${all}: no label ${label}`]
      return 'from' in values || value.split('|').every(one => values.includes(one)) ? [] : [`${all}: no ${value}`]
    })
  })
}

/** Whether a default is what a page says it is. */
function isThreshold(key: ThresholdName, said: string): boolean {
  const value = /^[\d.]+$/.test(said) ? Number(said) : said
  const read = settingsSchema.safeParse({ thresholds: { [key]: value } })
  return read.success && read.data.thresholds[key] === DEFAULT_SETTINGS.thresholds[key]
}
