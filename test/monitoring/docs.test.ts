// The pages about the monitoring name only what is there: metrics, scripts, files, options; the table of alerts is what
// the rules say.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { renderAlertsDoc } from '../../monitoring/alerts-doc.ts'
import { DEFAULT_SETTINGS } from '../../monitoring/thresholds.ts'
import { GROUPS } from '../../src/platform/catalogue/catalogue.ts'

const NAMES = new Set(GROUPS.flatMap(({ group }) => Object.values(group)).map(({ name }) => name))
const SEEN = ['docs/monitoring.md', 'docs/security-monitoring.md']

test.each(SEEN)('%s names no metric, script or file that is not there', page => {
  const text = readFileSync(page, 'utf8')
  const metrics = [...text.matchAll(/`((?:elemta|clamav)_\w+)/g)].map(([, name]) => name!)
  expect(metrics.filter(name => !NAMES.has(name))).toEqual([])
  const scripts = [...text.matchAll(/scripts\/[\w-]+\.sh/g)].map(([path]) => path)
  expect(scripts.length).toBeGreaterThan(0)
  const links = [...text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, path]) => join('docs', path!))
  expect([...scripts, ...links].filter(path => !existsSync(path))).toEqual([])
})

test('the table of alerts is what the rules say, and each has its runbook', () => {
  const [[path, text] = []] = renderAlertsDoc(DEFAULT_SETTINGS)
  expect(text === readFileSync(join('monitoring', path!), 'utf8'), 'run npm run monitoring').toBe(true)
  const runbooks = [...text!.matchAll(/\]\((\S+\/runbooks\/\S+)\)/g)].map(([, link]) => join('docs', link!))
  expect(runbooks.length).toBeGreaterThan(34)
  expect(runbooks.filter(runbook => !existsSync(runbook))).toEqual([])
  expect(text).not.toMatch(/\{\{/)
})
