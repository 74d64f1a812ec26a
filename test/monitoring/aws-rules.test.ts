// The rules for Amazon Managed Service for Prometheus are those of Prometheus, alert by alert and word by word, in a form
// that the service takes.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { anomalyDetectors } from '../../monitoring/aws/anomaly-detectors.ts'
import { collectorConfig } from '../../monitoring/aws/collector.ts'
import { dataSources, grafanaContent } from '../../monitoring/aws/grafana.ts'
import { RULES_PER_GROUP, ruleNamespaces } from '../../monitoring/aws/rule-groups.ts'
import { AWS_SETTINGS } from '../../monitoring/aws/settings.ts'
import { DATASOURCE_UID } from '../../monitoring/dashboards/names.ts'
import { renderDashboards } from '../../monitoring/dashboards/render.ts'
import { renderDownsampling } from '../../monitoring/downsampling.ts'
import { parseRouting } from '../../monitoring/routing/settings.ts'
import { renderRules } from '../../monitoring/rules/render.ts'
import { DEFAULT_SETTINGS, parseSettings } from '../../monitoring/thresholds.ts'
import { promtoolTest } from './promtool-test.ts'

type Rule = { alert?: string; record?: string; expr: string }
type Document = { groups: { name: string; interval?: string; rules: Rule[] }[] }

const rulesIn = (texts: Iterable<string>): Rule[] =>
  [...texts].flatMap(text => (parse(text) as Document).groups).flatMap(({ rules }) => rules)
const groups = [...ruleNamespaces(AWS_SETTINGS).values()].flatMap(text => (parse(text) as Document).groups)

/** Runs promtool over files in a directory of their own; throws with what it says. */
function promtool(args: readonly string[], files: Readonly<Record<string, string>>): string {
  const dir = mkdtempSync(join(tmpdir(), 'elemta-promtool-'))
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text)
    return execFileSync('promtool', args, { cwd: dir, encoding: 'utf8', stdio: 'pipe' })
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

describe('rule groups', () => {
  const site = parseSettings(
    'thresholds: { queue_size: 42 }\nlinks: { grafana: "https://g.example.com/" }',
    'site.yaml',
  )

  test.each([
    ['the shipped settings', DEFAULT_SETTINGS],
    ['the settings of AWS', AWS_SETTINGS],
    ['those of a site', site],
  ])('with %s both renderings hold the same rules', (_, settings) => {
    const { 'elemta-escalation': __, ...shared } = Object.fromEntries(ruleNamespaces(settings))
    const prometheus = rulesIn([...renderRules(settings).values(), ...renderDownsampling().values()])
    // Each rule whole: names, expressions, waits, labels, annotations; and in the order in which they are evaluated.
    expect(rulesIn(Object.values(shared))).toEqual(prometheus)
    expect(prometheus.filter(rule => rule.alert).length).toBeGreaterThan(25)
  })

  test('fit the quotas of the service: rules in a group, groups, namespaces, octets', () => {
    const namespaces = ruleNamespaces(AWS_SETTINGS)
    expect(Math.max(...groups.map(({ rules }) => rules.length))).toBeLessThanOrEqual(RULES_PER_GROUP)
    expect(groups.length).toBeLessThanOrEqual(100)
    expect(namespaces.size).toBeLessThanOrEqual(10)
    for (const text of namespaces.values()) expect(Buffer.byteLength(text)).toBeLessThan(1_000_000)
  })

  test('say how often they are evaluated, and have names of their own', () => {
    expect(groups.filter(({ interval }) => interval === undefined)).toEqual([])
    expect(new Set(groups.map(({ name }) => name)).size).toBe(groups.length)
    expect(groups.find(({ name }) => name === 'elemta-longterm-5m-2')).toBeDefined()
  })

  test('are right for promtool', () => {
    for (const [name, text] of ruleNamespaces(AWS_SETTINGS)) {
      expect(promtool(['check', 'rules', `${name}.yml`], { [`${name}.yml`]: text })).toContain('SUCCESS')
    }
  })
})

describe('a critical alert that goes on', () => {
  const routing = parseRouting('slack: { webhook_url_file: /x }\nescalation: { after: 20m }')
  const rules = ruleNamespaces(AWS_SETTINGS, routing).get('elemta-escalation')!
  const firing = (labels: string) => `ALERTS{alertstate="firing",team="mail",${labels}}`
  const copy = {
    exp_labels: { severity: 'critical', escalation: 'second', escalates: 'ElemtaDown', instance: 'a', team: 'mail' },
    exp_annotations: {
      summary: 'ElemtaDown has been firing for 20m',
      description: 'ElemtaDown has been firing for 20m and is not silenced: please take over.',
      runbook_url: 'monitoring/runbooks/ElemtaDown.md',
      dashboard_url: 'http://localhost:3000/d/elemta-troubleshooting',
    },
  }
  const at = (minute: number, ...exp_alerts: object[]) => ({
    eval_time: `${minute}m`,
    alertname: 'ElemtaDown',
    exp_alerts,
  })

  test('has a second one of its own name after the time of the routing, and not a third', () => {
    const input_series = [
      { series: firing('alertname="ElemtaDown",severity="critical",instance="a"'), values: '1x60' },
      { series: firing('alertname="ElemtaDown",severity="critical",instance="a",escalation="second"'), values: '1x60' },
      { series: firing('alertname="DeadLetters",severity="warning"'), values: '1x60' },
    ]
    promtoolTest(rules, [{ interval: '1m', input_series, alert_rule_test: [at(19), at(20, copy), at(59, copy)] }])
  })

  test('whichever it is', () => {
    const critical = rulesIn(ruleNamespaces(AWS_SETTINGS).values()).filter(
      rule => (rule as { labels?: Record<string, string> }).labels?.severity === 'critical',
    )
    const escalated = rulesIn([rules]).map(({ alert }) => alert)
    expect(new Set(escalated)).toEqual(new Set(critical.map(({ alert }) => alert)))
  })
})

describe('the collector', () => {
  test.each([
    ['ingress', ['elemta']],
    ['scan', ['elemta', 'clamav', 'rspamd']],
    ['delivery', ['elemta']],
  ] as const)('of %s scrapes what is in its own task, and Prometheus would, too', (role, jobs) => {
    const { receivers, service, processors, exporters, extensions } = parse(collectorConfig(role))
    const scrape = receivers.prometheus.config
    expect(scrape.scrape_configs.map((job: { job_name: string }) => job.job_name)).toEqual(jobs)
    for (const { static_configs } of scrape.scrape_configs)
      expect(static_configs[0].targets[0]).toMatch(/^127\.0\.0\.1:/)
    promtool(['check', 'config', 'prometheus.yml'], { 'prometheus.yml': JSON.stringify(scrape) })
    const { metrics } = service.pipelines
    expect([Object.keys(receivers), Object.keys(processors), Object.keys(exporters), Object.keys(extensions)]).toEqual([
      metrics.receivers,
      expect.arrayContaining(metrics.processors),
      metrics.exporters,
      service.extensions,
    ])
  })

  test('signs what it writes and keeps the names that the rules ask for', () => {
    const { exporters, extensions } = parse(collectorConfig('ingress'))
    const { auth, endpoint, add_metric_suffixes } = exporters.prometheusremotewrite
    expect(extensions[auth.authenticator]).toEqual({
      region: expect.stringMatching(/^\$\{env:AWS_REGION\}$/),
      service: 'aps',
    })
    expect(endpoint).toMatch(/^\$\{env:ELEMTA_REMOTE_WRITE_URL\}$/)
    expect(add_metric_suffixes).toBe(false)
  })
})

describe('anomaly detectors', () => {
  test('have names and queries that the service takes, of series that there are', () => {
    const recorded = new Set(rulesIn(ruleNamespaces(AWS_SETTINGS).values()).map(({ record }) => record))
    for (const { alias, query } of anomalyDetectors()) {
      expect(alias).toMatch(/^[0-9A-Za-z][-.0-9A-Z_a-z]{0,63}$/)
      expect(query).toMatch(/^(avg|count|group|max|min|quantile|stddev|stdvar|sum)\(.+\)$/)
      const [, series] = /^avg\((.+)\)$/.exec(query) ?? []
      if (series !== undefined) expect(recorded).toContain(series)
    }
    promtool(['check', 'rules', 'r.yml'], {
      'r.yml': JSON.stringify({
        groups: [{ name: 'g', rules: anomalyDetectors().map(({ query }, n) => ({ record: `a:${n}`, expr: query })) }],
      }),
    })
  })
})

describe('Grafana', () => {
  test('shows the dashboards of every home, on a data source of the same uid', () => {
    const { dashboards } = grafanaContent(DEFAULT_SETTINGS)
    const shipped = [...renderDashboards(DEFAULT_SETTINGS)].filter(([path]) => path.endsWith('.json'))
    expect(JSON.parse(JSON.stringify(dashboards))).toEqual(shipped.map(([, text]) => JSON.parse(text)))
    const [prometheus] = dataSources(AWS_SETTINGS, 'https://aps.example.com/workspaces/ws-1', 'eu-central-1')
    expect(prometheus).toMatchObject({
      uid: DATASOURCE_UID,
      type: 'prometheus',
      jsonData: { sigV4Auth: true, sigV4Region: 'eu-central-1', timeInterval: '1m' },
    })
  })
})
