// Every alert has its drill, and the matrix says plainly what was not as it should be.
import { expect, test } from 'vitest'
import { FAULTS } from '../../local/drill/faults.ts'
import type { HttpSink } from '../../local/drill/http-sink.ts'
import { notifications } from '../../local/drill/notifications.ts'
import { type Row, strays, templatePattern } from '../../local/drill/prove.ts'
import { formatMatrix } from '../../local/drill/report.ts'
import { DRILLED, faultsFor } from '../../local/drill/run.ts'
import { drillSettings } from '../../local/drill/settings.ts'
import { alertRules } from '../../monitoring/rules/groups.ts'
import { DEFAULT_SETTINGS } from '../../monitoring/thresholds.ts'
import { elemta } from '../pipeline/program.ts'

const severities = (all: readonly { name: string; severity: string }[]) =>
  [...new Set(all.map(({ name, severity }) => `${name} ${severity}`))].sort()

test('every alert is drilled, in each of its severities', () => {
  const drilled = FAULTS.flatMap(({ proves }) => proves.map(({ alert, severity }) => ({ name: alert, severity })))
  expect(severities(drilled)).toEqual(severities(alertRules(DEFAULT_SETTINGS)))
})

test('a drill changes thresholds and times, never rules', () => {
  for (const stack of ['delivery', 'anomaly'] as const) {
    expect(severities(alertRules(drillSettings(stack)))).toEqual(severities(alertRules(DEFAULT_SETTINGS)))
  }
})

test('the faults of an alert prove nothing else', () => {
  const asked = faultsFor(['BackPressure']).flatMap(({ proves }) => proves)
  expect(asked.map(({ alert }) => alert)).toEqual(['BackPressure'])
  expect(faultsFor([])).toHaveLength(FAULTS.length)
})

const row: Row = {
  alert: 'ScannerDown',
  severity: 'critical',
  labels: { scanner: 'clamav' },
  fault: 'clamd is stopped',
  to: ['mail', 'slack'],
  fired: true,
  routed: true,
  resolved: true,
  detectSeconds: 3.5,
  problems: [],
}

test('the matrix counts what is red, and says why', () => {
  const red = { ...row, routed: false, problems: ['slack: no link to the runbook'] }
  const lines = formatMatrix([row, red]).trimEnd().split('\n')
  expect(lines[1]).toMatch(/^ScannerDown critical clamav +yes +mail, slack +yes +3\.5 +clamd is stopped$/)
  expect(lines[2]).toMatch(/^ScannerDown critical clamav +yes +NO +yes /)
  expect(lines[3]).toBe('    slack: no link to the runbook')
  expect(lines.at(-1)).toBe('1 passed, 1 failed')
})

test.each([
  ['It ends in {{ $value | humanizeDuration }}. Hurry.', 'It ends in 4d 23h. Hurry.', true],
  ['It ends in {{ $value | humanizeDuration }}. Hurry.', 'It ends in . Hurry.', false],
  ['cannot scrape {{ with $labels.instance }}{{ . }}{{ else }}any{{ end }}.', 'cannot scrape mx1:8080.', true],
  ['{{ $value }} waits.', 'nobody', false],
])('a description with its value is known again: %s', (template, text, known) => {
  expect(templatePattern(template).test(text)).toBe(known)
})

test('mail and posts are read as our templates write them; others are left out', () => {
  const subject = 'Subject: =?utf-8?q?[WARNING]_ClamAVDatabaseOutdated:_ClamAV=E2=80=99s_signatures_are_old?='
  const mail = { recipients: [], at: 2, content: `${subject}\r\n\r\nbuilt 2d=\r\n ago` }
  const post = (path: string, title: string): HttpSink['posted'][number] => ({
    ...{ path, at: 1 },
    body: { channel: '#warnings', attachments: [{ title, text: 'text' }] },
  })
  const posted = [
    post('/slack', '[RESOLVED] DeadLetters: x'),
    post('/dead-man', '[WARNING] Watchdog'),
    post('/slack', '?'),
  ]
  const [byMail, bySlack, ...others] = notifications({ mail: [mail] }, { posted })
  expect(byMail).toMatchObject({
    way: 'mail',
    state: 'firing',
    alert: 'ClamAVDatabaseOutdated',
    text: expect.stringMatching(/built 2d ago/),
  })
  expect(bySlack).toMatchObject({ way: 'slack', state: 'resolved', alert: 'DeadLetters', severity: 'warning' })
  expect(others).toEqual([])
})

test('what reached others than the routing promises is told', () => {
  const one = { way: 'slack', severity: 'warning', state: 'firing', alert: 'DeadLetters', text: '', at: 5 } as const
  const title = (severity: string) => `[${severity}] DeadLetters: x`
  const strayed = (changes: object) => strays([{ ...one, title: title('WARNING'), ...changes }], 'DeadLetters', 1)
  expect(strayed({})).toEqual([])
  expect(strayed({ at: 0, way: 'mail' })).toEqual([])
  expect(strayed({ way: 'mail', severity: 'critical' })).toEqual([
    'it went astray by mail, to those for critical: [WARNING] DeadLetters: x',
  ])
  expect(strayed({ severity: 'critical' })).toHaveLength(1)
  expect(strayed({ title: title('INFO'), severity: 'info' })).toHaveLength(1)
})

test('--list tells what is done for an alert; one that nobody drills is an error', async () => {
  const { stdout } = await elemta('drill', '--list', 'ScannerDown')
  expect(stdout).toBe('ScannerDown critical clamav: clamd is stopped\n')
  const all = (await elemta('drill', '--list')).stdout
  expect(DRILLED.filter(alert => !all.includes(`${alert} `))).toEqual([])
  expect(await elemta('drill', 'NoSuchAlert')).toMatchObject({
    code: 64,
    stderr: expect.stringMatching(/there is no drill for NoSuchAlert/),
  })
})
