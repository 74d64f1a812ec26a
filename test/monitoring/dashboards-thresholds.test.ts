// A panel's colours change where its alert fires, also under a site's own thresholds.
import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard'
import { expect, test } from 'vitest'
import { dashboards } from '../../monitoring/dashboards/all.ts'
import { isPanel } from '../../monitoring/panel-check.ts'
import { alertRules } from '../../monitoring/rules/groups.ts'
import { DEFAULT_SETTINGS, parseSettings } from '../../monitoring/thresholds.ts'
import { ALL_PANELS, panelsOf } from './dashboards-static.ts'

const steps = (panel: Panel | undefined) => panel?.fieldConfig?.defaults?.thresholds?.steps
const find = (uid: string, title: string) => panelsOf(uid).find(panel => panel.title === title)

test('each step of a panel that belongs to alerts is a threshold of one of them, in the colour of its severity', () => {
  const rules = alertRules(DEFAULT_SETTINGS)
  const wrong = ALL_PANELS.flatMap(({ uid, panel }) => {
    const names = (panel.links ?? []).map(({ title }) => title!.replace('Runbook: ', ''))
    if (names.length === 0 || names.every(name => name.endsWith('BudgetBurn'))) return []
    const allowed = rules
      .filter(({ name }) => names.includes(name))
      .flatMap(({ thresholds, severity }) =>
        thresholds.map(name => ({ value: DEFAULT_SETTINGS.thresholds[name], severity })),
      )
    return (steps(panel) ?? [])
      .filter(({ value }) => value !== null)
      .filter(({ value, color }) => {
        // 1 is the step of what is there or not; a count above its threshold begins with the next number; seconds.
        if (value === 1) return false
        const severities = allowed
          .filter(one => [one.value, one.value + 1, one.value / 1000].includes(value!))
          .map(one => one.severity)
        // Where less is worse, the step begins the milder state.
        return severities.length === 0 || (color === 'red' && !severities.includes('critical'))
      })
      .map(step => `${uid}: ${panel.title}: ${JSON.stringify(step)}`)
  })
  expect(wrong).toEqual([])
})

test('the seeds’ thresholds are where they are promised', () => {
  expect(steps(find('elemta-security', 'Virus detection rate'))).toEqual([
    { value: null, color: 'green' },
    { value: 0.1, color: 'red' },
  ])
  expect(steps(find('elemta-security', 'Spam rate'))?.[1]).toEqual({ value: 0.3, color: 'orange' })
  expect(steps(find('elemta-security', 'Signature age'))).toEqual([
    { value: null, color: 'green' },
    { value: 86_400, color: 'orange' },
    { value: 259_200, color: 'red' },
  ])
  expect(steps(find('elemta-security', 'Security scan latency'))?.[1]).toEqual({ value: 5, color: 'orange' })
})

test('where less is worse, little is red, some is orange and enough is green', () => {
  expect(steps(find('elemta-dashboard', 'Disk free'))).toEqual([
    { value: null, color: 'red' },
    { value: 0.05, color: 'orange' },
    { value: 0.1, color: 'green' },
  ])
})

test('a site that changes a threshold and where its runbooks are sees both on its dashboards', () => {
  const site = parseSettings(
    'thresholds: { active_connections: 250 }\nlinks: { runbooks: https://wiki.example.com/mail/ }\n',
    'site.yaml',
  )
  const panel = dashboards(site)
    .flatMap(({ panels = [] }) => panels.filter(isPanel))
    .find(({ title }) => title === 'Active connections')
  expect(steps(panel)?.[1]).toEqual({ value: 250, color: 'orange' })
  expect(panel?.links?.[0]?.url).toBe('https://wiki.example.com/mail/HighActiveConnections.md')
})
