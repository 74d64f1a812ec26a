// Who gets what, asked of amtool with the very files that are shipped or written for a site.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { INHIBITIONS } from '../../monitoring/routing/inhibitions.ts'
import { alertmanagerFiles, PEOPLE, quickRouting } from './routing-files.ts'

const SHIPPED = join(import.meta.dirname, '../../monitoring/alertmanager/alertmanager.yml')
const RULES = join(import.meta.dirname, '../../monitoring/prometheus/rules')
const ON_CALL = `
on_call:
  time_zone: Europe/Berlin${PEOPLE}
  first: [{ who: alice, weekdays: "monday:friday" }, { who: bob, weekdays: "saturday:sunday" }]
  second: [{ who: carol, times: "06:00-22:00" }, { who: bob, times: "22:00-06:00" }]
warnings: { only_during: { weekdays: "monday:friday", times: "08:00-18:00" } }
maintenance: [{ name: patch-day, weekdays: tuesday, times: "03:00-04:30" }, { name: disks, date: 2027-12-31, times: "22:00-02:00" }]
`
let dir: string
let site: string

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'elemta-amtool-'))
  site = join(dir, 'alertmanager.yml')
  const files = alertmanagerFiles(quickRouting('smtp.example.com:587', '/run/secrets', ON_CALL), 'http://hc.example/1')
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true })
    writeFileSync(join(dir, path), text)
  }
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const amtool = (...args: string[]) => execFileSync('amtool', args, { encoding: 'utf8' })

/** The receivers that an alert with these labels gets to, whatever the hour. */
function receivers(file: string, labels: Record<string, string>): string[] {
  const written = Object.entries(labels).map(([name, value]) => `${name}=${value}`)
  return amtool('config', 'routes', 'test', `--config.file=${file}`, ...written)
    .trim()
    .split(',')
}

test('amtool finds nothing wrong, neither as shipped nor for a site with shifts', () => {
  expect(amtool('check-config', SHIPPED)).toContain('SUCCESS')
  expect(amtool('check-config', site)).toContain('SUCCESS')
})

describe('by severity', () => {
  const copy = { alertname: 'ElemtaDown', escalates: 'ElemtaDown', severity: 'critical', escalation: 'second' }
  test.each([
    [
      'critical',
      { alertname: 'ElemtaDown', severity: 'critical' },
      ['critical'],
      ['on-call-alice', 'on-call-bob', 'critical'],
    ],
    ['escalated', copy, ['escalated'], ['second-carol', 'second-bob', 'escalated']],
    ['warning', { alertname: 'QueueSizeGrowing', severity: 'warning' }, ['warning'], ['warning']],
    ['info', { alertname: 'RspamdHighSpamRate', severity: 'info' }, ['info'], ['info']],
    ['an unknown severity, which is a warning', { alertname: 'Own', severity: 'page' }, ['warning'], ['warning']],
    ['none', { alertname: 'Own' }, ['warning'], ['warning']],
    ['the Watchdog', { alertname: 'Watchdog', severity: 'info' }, ['dead-mans-switch'], ['dead-mans-switch']],
  ])('%s', (_, labels, shipped, withShifts) => {
    expect(receivers(SHIPPED, labels)).toEqual(shipped)
    expect(receivers(site, labels)).toEqual(withShifts)
  })
})

type Alert = { alert?: string; labels: Record<string, string> }
const alerts = readdirSync(RULES)
  .flatMap(name => (parse(readFileSync(join(RULES, name), 'utf8')) as { groups: { rules: Alert[] }[] }).groups)
  .flatMap(({ rules }) => rules.filter(({ alert }) => alert !== undefined))

test('every alert of the rules gets where its severity says', () => {
  expect(alerts.length).toBeGreaterThan(20)
  const expected = (alert: Alert) => {
    if (alert.alert === 'Watchdog') return ['dead-mans-switch']
    return alert.labels.escalation === 'second' ? ['escalated'] : [alert.labels.severity]
  }
  const labels = (alert: Alert) => ({ ...alert.labels, alertname: alert.alert! })
  expect(alerts.map(alert => [alert.alert, receivers(SHIPPED, labels(alert))])).toEqual(
    alerts.map(alert => [alert.alert, expected(alert)]),
  )
})

describe('inhibitions', () => {
  const severities = (name: string) => alerts.filter(({ alert }) => alert === name).map(({ labels }) => labels.severity)
  const namesIn = (matchers: (typeof INHIBITIONS)[number]['source']) =>
    matchers
      .filter(([label]) => label === 'alertname' || label === 'escalates')
      .flatMap(([, , names]) => names.split('|'))

  test('name only alerts that exist', () => {
    const named = INHIBITIONS.flatMap(({ source, target }) => [...namesIn(source), ...namesIn(target)])
    expect(named.filter(name => severities(name).length === 0)).toEqual([])
  })

  test.each(INHIBITIONS.map(inhibition => [inhibition.why, inhibition] as const))(
    '%s: no warning silences a critical alert',
    (_, { source, target }) => {
      const lesser = target.some(([label, , value]) => label === 'severity' && value === 'warning|info')
      const sources = namesIn(source).flatMap(severities)
      const critical = source.some(([label, , value]) => label === 'severity' && value === 'critical')
      expect(lesser || critical || sources.every(severity => severity === 'critical')).toBe(true)
    },
  )
})

test('hours are told in the way of Alertmanager: a night and a date over midnight in two parts', () => {
  const { time_intervals } = parse(readFileSync(site, 'utf8')) as {
    time_intervals: { name: string; time_intervals: object[] }[]
  }
  const named = Object.fromEntries(time_intervals.map(({ name, time_intervals }) => [name, time_intervals]))
  expect(named['first-in-line-alice']).toEqual([
    {
      times: [{ start_time: '00:00', end_time: '24:00' }],
      weekdays: ['monday', 'tuesday', 'wednesday', 'thursday', 'friday'],
      location: 'Europe/Berlin',
    },
  ])
  expect(named['second-in-line-bob']).toEqual([
    { times: [{ start_time: '22:00', end_time: '24:00' }], location: 'Europe/Berlin' },
    { times: [{ start_time: '00:00', end_time: '06:00' }], location: 'Europe/Berlin' },
  ])
  expect(named['maintenance-disks']).toEqual([
    {
      times: [{ start_time: '22:00', end_time: '24:00' }],
      days_of_month: ['31'],
      months: ['12'],
      years: ['2027'],
      location: 'Europe/Berlin',
    },
    {
      times: [{ start_time: '00:00', end_time: '02:00' }],
      days_of_month: ['1'],
      months: ['1'],
      years: ['2028'],
      location: 'Europe/Berlin',
    },
  ])
})
