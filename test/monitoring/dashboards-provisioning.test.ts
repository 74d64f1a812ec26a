// Grafana's provisioning files against its file format, as its documentation and loader have it: strict schemas, since
// a misspelt key is silently ignored there. No Grafana runs here: that it starts with them is not shown by this.
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { DASHBOARDS, DATASOURCE_UID } from '../../monitoring/dashboards/names.ts'
import { renderDashboards } from '../../monitoring/dashboards/render.ts'
import { alertRules } from '../../monitoring/rules/groups.ts'
import { DEFAULT_SETTINGS } from '../../monitoring/thresholds.ts'
import { panelsOf } from './dashboards-static.ts'

const files = renderDashboards()
const read = (path: string): unknown => parse(files.get(`grafana/provisioning/${path}`)!, { version: '1.1' })

const uid = z.string().regex(/^[a-zA-Z0-9_-]{1,40}$/)
const duration = z.string().regex(/^(0s|(\d+(ms|[smhdwy]))+)$/)
const state = z.enum(['OK', 'Alerting', 'KeepLast'])
const query = z.strictObject({
  refId: z.string().regex(/^[A-Z]$/),
  relativeTimeRange: z.strictObject({ from: z.int().min(0), to: z.int().min(0) }),
  datasourceUid: z.enum([DATASOURCE_UID, '__expr__']),
  model: z.looseObject({ refId: z.string() }),
})
const rules = z.strictObject({
  apiVersion: z.literal(1),
  groups: z.array(
    z.strictObject({
      orgId: z.literal(1),
      name: z.string().min(1),
      folder: z.string().min(1),
      interval: duration,
      rules: z.array(
        z.strictObject({
          uid,
          title: z.string().max(190),
          condition: z.string(),
          data: z.array(query).min(1),
          dashboardUid: z.enum(Object.keys(DASHBOARDS)).optional(),
          panelId: z.int().positive().optional(),
          noDataState: z.union([state, z.literal('NoData')]),
          execErrState: z.union([state, z.literal('Error')]),
          for: duration,
          annotations: z.record(z.string(), z.string()),
          labels: z.record(z.string().regex(/^[a-zA-Z_]\w*$/), z.string()),
        }),
      ),
    }),
  ),
})
const provisionedRules = rules.parse(read('alerting/rules.yml')).groups.flatMap(group => group.rules)

const contactPoints = z.strictObject({
  apiVersion: z.literal(1),
  contactPoints: z.array(
    z.strictObject({
      orgId: z.literal(1),
      name: z.string(),
      receivers: z.array(
        z.discriminatedUnion('type', [
          z.strictObject({
            uid,
            type: z.literal('email'),
            settings: z.strictObject({ addresses: z.string(), singleEmail: z.boolean() }),
          }),
          z.strictObject({ uid, type: z.literal('slack'), settings: z.strictObject({ url: z.string() }) }),
        ]),
      ),
    }),
  ),
})
const matcher = z.tuple([z.string(), z.enum(['=', '!=', '=~', '!~']), z.string()])
const policies = z.strictObject({
  apiVersion: z.literal(1),
  policies: z.array(
    z.strictObject({
      orgId: z.literal(1),
      receiver: z.string(),
      group_by: z.array(z.string()),
      group_wait: duration,
      group_interval: duration,
      repeat_interval: duration,
      routes: z.array(
        z.strictObject({
          receiver: z.string(),
          object_matchers: z.array(matcher),
          mute_time_intervals: z.array(z.string()).optional(),
        }),
      ),
    }),
  ),
  muteTimes: z.array(
    z.strictObject({
      orgId: z.literal(1),
      name: z.string(),
      time_intervals: z.array(
        z.strictObject({
          times: z.array(
            z.strictObject({ start_time: z.string().regex(/^\d\d:\d\d$/), end_time: z.string().regex(/^\d\d:\d\d$/) }),
          ),
        }),
      ),
    }),
  ),
})
const datasources = z.strictObject({
  apiVersion: z.literal(1),
  datasources: z.array(
    z.strictObject({
      name: z.string(),
      uid,
      type: z.enum(['prometheus', 'alertmanager']),
      access: z.literal('proxy'),
      url: z.string(),
      isDefault: z.boolean().optional(),
      editable: z.boolean(),
      jsonData: z.looseObject({}),
    }),
  ),
})

test('the data source has the uid that dashboards and rules name, and the scrape interval', () => {
  const [prometheus, ...others] = datasources.parse(read('datasources/elemta.yml')).datasources
  expect(prometheus).toMatchObject({ uid: DATASOURCE_UID, isDefault: true, url: '$PROMETHEUS_URL' })
  expect(prometheus!.jsonData).toMatchObject({ timeInterval: '30s', alertmanagerUid: others[0]!.uid })
})

test('Prometheus’s alerts are all there, each at a panel that shows its numbers', () => {
  const wanted = alertRules(DEFAULT_SETTINGS).filter(({ name }) => name !== 'Watchdog')
  expect(provisionedRules.map(({ labels }) => labels.alert)).toEqual(
    expect.arrayContaining(wanted.map(({ name }) => name)),
  )
  expect(provisionedRules.length).toBe(wanted.length + 1)
  expect(new Set(provisionedRules.map(rule => rule.uid)).size).toBe(provisionedRules.length)
  expect(new Set(provisionedRules.map(rule => rule.title)).size).toBe(provisionedRules.length)
  for (const { labels, dashboardUid, panelId } of provisionedRules.filter(({ labels }) => !labels.watches)) {
    const panel = panelsOf(dashboardUid!).find(({ id }) => id === panelId)
    expect(panel?.links?.map(({ title }) => title)).toContain(`Runbook: ${labels.alert}`)
  }
})

test('thresholds and anomalies are groups of their own', () => {
  const groups = rules.parse(read('alerting/rules.yml')).groups
  expect(groups.map(({ name }) => name)).toEqual(['elemta-thresholds', 'elemta-anomalies'])
  expect(groups[1]!.rules.map(({ title }) => title)).toEqual(['MailVolumeAnomaly', 'SpamRateAnomaly'])
})

test('a rule fires for each series that its query leaves, whatever the value, and not for none', () => {
  for (const rule of provisionedRules) {
    const [first, second] = rule.data
    expect(rule.condition).toBe('B')
    expect(first).toMatchObject({ refId: 'A', datasourceUid: DATASOURCE_UID, model: { instant: true } })
    expect(second).toMatchObject({
      datasourceUid: '__expr__',
      model: { type: 'math', expression: 'is_number($A)' },
    })
    expect(rule.noDataState).toBe('OK')
  }
})

test('annotations carry the value, the runbook and the dashboard in Grafana’s words', () => {
  for (const { annotations } of provisionedRules) {
    expect(annotations).toMatchObject({ runbook_url: expect.any(String), dashboard_url: expect.any(String) })
    expect(annotations.description).not.toMatch(/\$value\b/)
  }
})

test('policies name contact points and mute times that are there; only Grafana’s own alarm is not muted', () => {
  const names = contactPoints.parse(read('alerting/contact-points.yml')).contactPoints.map(({ name }) => name)
  const { policies: trees, muteTimes } = policies.parse(read('alerting/policies.yml'))
  const [tree] = trees
  for (const receiver of [tree!.receiver, ...tree!.routes.map(route => route.receiver)]) {
    expect(names).toContain(receiver)
  }
  const muted = muteTimes.map(({ name }) => name)
  expect(tree!.routes.every(route => route.mute_time_intervals?.every(name => muted.includes(name)))).toBe(true)
  const routed = ({ labels }: (typeof provisionedRules)[number]) =>
    tree!.routes.find(({ object_matchers }) =>
      object_matchers.every(([label, how, value]) => {
        const same = new RegExp(`^(?:${value})$`).test(labels[label] ?? '')
        return how.startsWith('=') ? same : !same
      }),
    )
  const aloud = provisionedRules.filter(rule => routed(rule) === undefined)
  expect(aloud.map(({ title }) => title)).toEqual(['MonitoringDown'])
  expect(aloud[0]!.execErrState).toBe('Alerting')
})

test('dashboards are loaded from a folder, and cannot be changed or lost in the browser', () => {
  const { providers } = z
    .strictObject({ apiVersion: z.literal(1), providers: z.array(z.looseObject({})) })
    .parse(read('dashboards/elemta.yml'))
  expect(providers).toEqual([
    {
      name: 'elemta',
      orgId: 1,
      folder: 'Elemta',
      type: 'file',
      disableDeletion: true,
      allowUiUpdates: false,
      updateIntervalSeconds: 30,
      options: { path: '/var/lib/grafana/dashboards' },
    },
  ])
})
