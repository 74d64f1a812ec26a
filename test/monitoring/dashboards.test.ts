// The dashboards as files: what Grafana would refuse or show as a hole, and what they promise to link and to name.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Dataquery } from '@grafana/grafana-foundation-sdk/prometheus'
import * as units from '@grafana/grafana-foundation-sdk/units'
import { expect, test } from 'vitest'
import { DASHBOARDS, DATASOURCE_UID } from '../../monitoring/dashboards/names.ts'
import { renderDashboards } from '../../monitoring/dashboards/render.ts'
import { panelQueries } from '../../monitoring/panel-check.ts'
import { alertRules } from '../../monitoring/rules/groups.ts'
import { RECORDS } from '../../monitoring/rules/records.ts'
import { DEFAULT_SETTINGS } from '../../monitoring/thresholds.ts'
import { CATALOGUE } from '../../src/platform/catalogue/catalogue.ts'
import { clamd } from '../../src/platform/catalogue/clamd.ts'
import type { Definition } from '../../src/platform/catalogue/definition.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { ALL_PANELS, BOARDS, groupedBy, metricsIn, panelsOf } from './dashboards-static.ts'

const MONITORING = join(import.meta.dirname, '../../monitoring')
const titled = ({ uid, panel }: (typeof ALL_PANELS)[number]) => `${uid}: ${panel.title}`
const alerts = alertRules(DEFAULT_SETTINGS)

test('the committed files are what the sources say, and no other dashboard lies beside them', () => {
  const rendered = renderDashboards()
  for (const [path, text] of rendered) {
    expect(readFileSync(join(MONITORING, path), 'utf8'), `${path}: run npm run monitoring`).toBe(text)
  }
  const committed = readdirSync(join(MONITORING, 'grafana'), { recursive: true, encoding: 'utf8' })
    .filter(path => /\.(json|yml)$/.test(path))
    .map(path => `grafana/${path}`)
  expect(committed.sort()).toEqual([...rendered.keys()].sort())
})

test('each dashboard is at its address, by its uid and the slug of its title', () => {
  expect(BOARDS.map(({ uid }) => uid).sort()).toEqual(Object.keys(DASHBOARDS).sort())
  for (const { uid, title, schemaVersion } of BOARDS) {
    const slug = title!.toLowerCase().replace(/[^a-z0-9]+/g, '-')
    expect(slug).toBe(DASHBOARDS[uid as keyof typeof DASHBOARDS].slug)
    expect(schemaVersion).toBe(41)
  }
  expect(DASHBOARDS['elemta-security'].slug).toBe('elemta-security-dashboard')
})

test('panels have ids of their own and do not overlap', () => {
  for (const { uid, panels = [] } of BOARDS) {
    expect(new Set(panels.map(({ id }) => id)).size, uid).toBe(panels.length)
    const taken = new Set<string>()
    for (const panel of panels) {
      const { x, y, w, h } = panel.gridPos!
      expect(x + w, `${uid}: ${panel.title}`).toBeLessThanOrEqual(24)
      for (let column = x; column < x + w; column++) {
        for (let line = y; line < y + h; line++) {
          const cell = `${column},${line}`
          expect(taken.has(cell), `${uid}: ${panel.title} lies on another panel`).toBe(false)
          taken.add(cell)
        }
      }
    }
  }
})

test('every panel says what it shows, in which unit, and asks the chosen data source at least one question', () => {
  for (const one of ALL_PANELS) {
    const { panel } = one
    expect(panel.description?.length, titled(one)).toBeGreaterThan(20)
    expect(Object.values(units), titled(one)).toContain(panel.fieldConfig?.defaults?.unit)
    expect(panel.targets?.length, titled(one)).toBeGreaterThan(0)
    for (const source of [panel.datasource, ...(panel.targets ?? []).map(target => (target as Dataquery).datasource)]) {
      expect(source, titled(one)).toEqual({ type: 'prometheus', uid: '$datasource' })
    }
  }
})

test('no two panels of a dashboard have the same title', () => {
  for (const { uid } of BOARDS) {
    const titles = panelsOf(uid!).map(({ title }) => title)
    expect([...new Set(titles)]).toEqual(titles)
  }
})

test('every variable that is used is defined, and the data source defaults to the provisioned one', () => {
  for (const board of BOARDS) {
    const variables = board.templating?.list ?? []
    expect(variables.map(({ name }) => name)).toEqual(['datasource', 'instance', 'route'])
    expect(variables[0]!.current?.value).toBe(DATASOURCE_UID)
    const used = JSON.stringify(board.panels).matchAll(/\$\{?(\w+)/g)
    for (const [, name] of used) {
      expect(['datasource', 'instance', 'route', '__rate_interval', '__range']).toContain(name)
    }
  }
})

test('every link leads to a dashboard that is there, or to the runbook of an alert that is there', () => {
  const names = new Set(alerts.map(({ name }) => name))
  for (const { uid, links = [] } of BOARDS) {
    expect(links.map(({ url }) => url).sort()).toEqual(
      Object.entries(DASHBOARDS)
        .filter(([other]) => other !== uid)
        .map(([other, { slug }]) => `/d/${other}/${slug}`)
        .sort(),
    )
  }
  for (const one of ALL_PANELS) {
    for (const { url } of one.panel.links ?? []) {
      const [, name] = /^monitoring\/runbooks\/(\w+)\.md$/.exec(url!) ?? []
      expect(names.has(name!), `${titled(one)} links ${url}`).toBe(true)
    }
  }
})

test('every alert has a panel that links its runbook', () => {
  const linked = new Set(ALL_PANELS.flatMap(({ panel }) => (panel.links ?? []).map(({ title }) => title)))
  expect([...new Set(alerts.map(({ name }) => name))].filter(name => !linked.has(`Runbook: ${name}`))).toEqual([])
})

const foreign = new Set(['up', 'ALERTS', ...Object.values(clamd as Record<string, Definition>).map(({ name }) => name)])
const shared = new Set(['instance', 'job', 'le', 'alertname', 'alertstate', 'severity', 'scanner', 'state'])

test('every metric that a panel or annotation asks for exists in the catalogue, the recording rules or an exporter', () => {
  const registry = createMetrics({ process: true }).registry
  const known = new Set(registry.getMetricsAsArray().map(({ name }) => name))
  const unknown = expressions().flatMap(({ expr, where }) =>
    metricsIn(expr)
      .map(({ metric }) => metric)
      .filter(metric => !foreign.has(metric) && !(metric in RECORDS))
      .filter(metric => !known.has(metric) && !known.has(metric.replace(/_(bucket|sum|count)$/, '')))
      .map(metric => `${where}: ${metric}`),
  )
  registry.clear()
  expect(unknown).toEqual([])
})

test('every label that a panel matches or groups by is one of the metric', () => {
  const definitions = [...Object.values(CATALOGUE), ...Object.values(clamd)] as Definition[]
  const labelsOf = new Map(definitions.map(({ name, labels = {} }) => [name, Object.keys(labels)]))
  const wrong = expressions().flatMap(({ expr, where }) => {
    const metrics = metricsIn(expr)
    const own = metrics.flatMap(({ metric }) => labelsOf.get(metric.replace(/_(bucket|sum|count)$/, '')) ?? [])
    return [...metrics.flatMap(({ labels }) => labels), ...groupedBy(expr)]
      .filter(label => !shared.has(label) && !own.includes(label))
      .filter(label => !(label === 'route' && metrics.some(({ metric }) => metric.startsWith('elemta_route:'))))
      .map(label => `${where}: ${label}`)
  })
  expect(wrong).toEqual([])
})

test('label values that a panel picks are values of the label', () => {
  const definitions = Object.values(CATALOGUE) as Definition[]
  for (const { expr, where } of expressions()) {
    for (const [, metric, matchers] of expr.matchAll(/(elemta_\w+)\{([^}]*)\}/g)) {
      const labels = definitions.find(({ name }) => name === metric)?.labels ?? {}
      for (const [, label, values] of matchers!.matchAll(/(\w+)(?:=~|!~|!=|=)"([^"$]*)"/g)) {
        const listed = labels[label!]
        if (!Array.isArray(listed)) continue
        for (const value of values!.split('|')) expect(listed, `${where}: ${label}`).toContain(value)
      }
    }
  }
})

/** What panels and annotations ask. */
function expressions(): { expr: string; where: string }[] {
  return [
    ...panelQueries(BOARDS).map(({ expr, dashboard, panel }) => ({ expr, where: `${dashboard}: ${panel}` })),
    ...BOARDS.flatMap(({ uid, annotations }) =>
      (annotations?.list ?? []).map(({ name, expr }) => ({ expr: expr!, where: `${uid}: annotation ${name}` })),
    ),
  ]
}
