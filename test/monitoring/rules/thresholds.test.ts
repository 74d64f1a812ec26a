// A site's own thresholds, and the shorter times of a drill.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { alertRules, ruleFiles } from '../../../monitoring/rules/groups.ts'
import { timingOf } from '../../../monitoring/rules/timing.ts'
import { DEFAULT_SETTINGS, parseSettings } from '../../../monitoring/thresholds.ts'
import { renderThresholdsExample } from '../../../monitoring/thresholds-example.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'elemta-thresholds-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const NODE = 'node_modules/.bin/node'

test('a site names what differs, and the rest stays', () => {
  const { thresholds, links } = parseSettings(
    'thresholds: { queue_size: 50, virus_for: 90s }\nlinks: { grafana: https://grafana.example.com/ }',
    'site.yaml',
  )
  expect(thresholds).toEqual({ ...DEFAULT_SETTINGS.thresholds, queue_size: 50, virus_for: 90_000 })
  expect(links.runbooks).toBe(DEFAULT_SETTINGS.links.runbooks)
  expect(parseSettings('', 'site.yaml')).toEqual(DEFAULT_SETTINGS)
})

test('the example names every setting with its default', () => {
  const [[file, text]] = [...renderThresholdsExample()] as [[string, string]]
  expect(parseSettings(text, file)).toEqual(DEFAULT_SETTINGS)
  for (const key of Object.keys(DEFAULT_SETTINGS.thresholds)) expect(text).toContain(`\n  ${key}: `)
})

test('what is wrong in the file is told with its place and the nearest name', () => {
  const wrong = () =>
    parseSettings('thresholds:\n  queue_sise: 5\n  virus_ratio: 30\n  virus_for: 5\nthreshold: {}\n', 'site.yaml')
  expect(wrong).toThrow('site.yaml:2:3: thresholds.queue_sise: unknown key; did you mean "queue_size"?')
  expect(wrong).toThrow('site.yaml:3:16: thresholds.virus_ratio: must be at most 1, not 30')
  expect(wrong).toThrow('thresholds.virus_for: a duration needs its unit')
  expect(wrong).toThrow('site.yaml:5:1: threshold: unknown key; did you mean "thresholds"?')
})

test('render.ts writes a site’s rules, and says what is wrong with its file', () => {
  const file = join(folder, 'site.yaml')
  writeFileSync(
    file,
    'thresholds: { queue_size: 50 }\nlinks: { grafana: https://g.example.com/, runbooks: https://r.example.com }\n',
  )
  execFileSync(NODE, ['monitoring/render.ts', '--thresholds', file, '--out', folder])
  const rules = readFileSync(join(folder, 'prometheus/rules/elemta-alerts.yml'), 'utf8')
  expect(rules).toContain('elemta:queue_size:sum > 50 and')
  expect(rules).toContain('runbook_url: https://r.example.com/QueueSizeGrowing.md')
  expect(rules).toContain('dashboard_url: https://g.example.com/d/elemta-dashboard')

  writeFileSync(file, 'thresholds: { queue_sizes: 50 }\n')
  const { status, stderr } = spawnSync(NODE, ['monitoring/render.ts', '--thresholds', file, '--out', folder])
  expect(status).toBe(1)
  expect(String(stderr)).toContain('did you mean "queue_size"?')
})

test('a drill shortens windows, waits and volumes alike, but to nothing that cannot work', () => {
  const timing = timingOf({ scale: 0.01, evaluation_interval: 1000 })
  expect(timing.window('1d')).toBe('864s')
  expect(timing.window('15m')).toBe('9s')
  expect(timing.window('1m')).toBe('4s')
  expect(timing.wait('15m')).toBe(9000)
  expect(timing.wait('1m')).toBe(2000)
  expect(timing.wait(0)).toBe(0)
  expect(timing.patience('5m')).toBe(3)
  expect(timing.volume(50)).toBe(1)
  expect(timing.volume(1000)).toBe(10)
})

test('at the shipped pace nothing is stretched', () => {
  const { wait, window } = timingOf(DEFAULT_SETTINGS.timing)
  expect(wait('1m')).toBe(60_000)
  expect(window('5m')).toBe('5m')
})

test('a drill’s rules have the names, the thresholds and the order of the shipped ones', () => {
  const drill = { ...DEFAULT_SETTINGS, timing: { scale: 0.001, evaluation_interval: 1000 } }
  const names = (settings: typeof DEFAULT_SETTINGS) =>
    [...ruleFiles(settings).values()].flat().map(({ rules }) => rules.map(({ name }) => name))
  expect(names(drill)).toEqual(names(DEFAULT_SETTINGS))
  expect(Math.max(...alertRules(drill).map(alert => alert.for))).toBe(3600)
  const text = JSON.stringify([...ruleFiles(drill)])
  expect(text).toContain('elemta:delivery_failures:ratio_rate15m > 0.2')
  expect(text).not.toMatch(/\[(5m|15m|1h|1d)\]/)
})
