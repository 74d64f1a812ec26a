// docs/metrics.md is what the catalogue, the rules and the dashboards say.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { findUses } from '../../monitoring/metric-uses.ts'
import { renderMetricsDoc } from '../../monitoring/metrics-doc.ts'
import { renderAll } from '../../monitoring/render.ts'
import { DEFAULT_SETTINGS } from '../../monitoring/thresholds.ts'
import { GROUPS } from '../../src/platform/catalogue/catalogue.ts'

const rendered = renderAll(DEFAULT_SETTINGS)
const rows = (page: string) => page.split('\n').filter(line => line.startsWith('| `'))

test('the page in the repository is what its sources say', () => {
  const [[, page] = []] = renderMetricsDoc(rendered)
  expect(page === readFileSync('docs/metrics.md', 'utf8'), 'run npm run monitoring').toBe(true)
})

test('it has a row for each metric and each recorded series, without and with rules', () => {
  const names = GROUPS.flatMap(({ group }) => Object.values(group).map(({ name }) => name))
  const [[, bare = ''] = []] = renderMetricsDoc(new Map())
  expect(rows(bare).map(row => /`(.*?)`/.exec(row)![1])).toEqual(names)
  const [[, page = ''] = []] = renderMetricsDoc(rendered)
  const records = [...rendered.values()].join('\n').matchAll(/- record: ((?!longterm:)\S+)/g)
  const all = new Set([...names, ...[...records].map(([, name]) => name)])
  expect(new Set(rows(page).map(row => /`(.*?)`/.exec(row)![1]))).toEqual(all)
})

test('uses are read out of expressions: direct, through recorded series, of a histogram’s parts', () => {
  const rules = {
    groups: [
      {
        rules: [
          {
            record: 'a:ratio',
            expr: 'sum(rate(elemta_x_seconds_bucket[5m])) / sum(elemta_y_total{reason="elemta_z"})',
          },
          { record: 'b:ratio', expr: 'a:ratio * 2' },
          { alert: 'High', expr: 'b:ratio > 1' },
        ],
      },
    ],
  }
  const dashboard = {
    title: 'Main',
    panels: [
      { title: 'Row', panels: [{ title: 'In a row', targets: [{ expr: 'elemta_y_total' }] }] },
      { title: 'Top', targets: [{ expr: 'a:ratio' }, {}] },
    ],
  }
  const uses = findUses(
    new Map([
      ['prometheus/rules/r.yml', JSON.stringify(rules)],
      ['grafana/dashboards/d.json', JSON.stringify(dashboard)],
      ['grafana/provisioning/alerting/rules.yml', 'elemta_z'],
    ]),
  )
  expect(uses.of('elemta_x_seconds')).toEqual({ alerts: ['High'], panels: new Map([['Main', ['Top']]]) })
  expect(uses.of('elemta_y_total')).toEqual({ alerts: ['High'], panels: new Map([['Main', ['In a row', 'Top']]]) })
  expect(uses.of('elemta_z')).toEqual({ alerts: [], panels: new Map() })
  expect(uses.of('a:ratio').alerts).toEqual(['High'])
})
