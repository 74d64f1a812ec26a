// A critical alert that goes on reaches the second in line: by promtool over simulated hours, and with a real Prometheus,
// a real Alertmanager and a smarthost, in seconds.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import type { Alertmanager } from '../../local/drill/alertmanager.ts'
import { type HttpSink, startHttpSink } from '../../local/drill/http-sink.ts'
import type { Prometheus } from '../../local/drill/prometheus.ts'
import { ESCALATION_ALERT, renderEscalation } from '../../monitoring/routing/escalation.ts'
import { parseRouting } from '../../monitoring/routing/settings.ts'
import { at, renderPrometheus, renderTargets } from '../../monitoring/scrape.ts'
import { DEFAULT_SETTINGS } from '../../monitoring/thresholds.ts'
import { type NextHop, startNextHop } from '../deliver/next-hop.ts'
import { promtoolTest } from './promtool-test.ts'
import { alertmanagerFiles, PEOPLE, quickRouting } from './routing-files.ts'
import { startPrivateAlertmanager } from './start-alertmanager.ts'
import { startPrivatePrometheus } from './start-prometheus.ts'

describe('by promtool', () => {
  const SLACK = 'slack: { webhook_url_file: /run/secrets/slack }'
  const RULES = renderEscalation(parseRouting(SLACK), DEFAULT_SETTINGS)
  const firing = (labels: string) => `ALERTS{alertstate="firing",team="mail",${labels}}`
  const down = firing('alertname="ElemtaDown",severity="critical",instance="a"')
  const copy = {
    exp_labels: { severity: 'critical', escalation: 'second', escalates: 'ElemtaDown', instance: 'a', team: 'mail' },
    exp_annotations: {
      summary: 'ElemtaDown has been firing for 30m',
      description: 'ElemtaDown has been firing for 30m and is not silenced: please take over.',
      runbook_url: 'monitoring/runbooks/ElemtaDown.md',
      dashboard_url: 'http://localhost:3000/d/elemta-troubleshooting',
    },
  }
  const at = (minute: number, ...exp_alerts: object[]) => ({
    eval_time: `${minute}m`,
    alertname: ESCALATION_ALERT,
    exp_alerts,
  })

  test('after half an hour, not before, and it ends with the alert', () => {
    const alert_rule_test = [at(29), at(30, copy), at(45, copy), at(47)]
    promtoolTest(RULES, [{ interval: '1m', input_series: [{ series: down, values: '1x45 stale' }], alert_rule_test }])
  })

  test('an interruption begins anew', () => {
    const input_series = [{ series: down, values: '1x20 stale _x3 1x40' }]
    promtoolTest(RULES, [{ interval: '1m', input_series, alert_rule_test: [at(31), at(50), at(58, copy)] }])
  })

  test('each of two alerts on its own; never a warning, a pending alert or the copy itself', () => {
    const input_series = [
      { series: down, values: '1x70' },
      { series: firing('alertname="DeadLetters",severity="warning"'), values: '1x70' },
      { series: down.replace('firing', 'pending').replace('ElemtaDown', 'BackPressure'), values: '1x70' },
      { series: firing('alertname="LedgerImbalance",severity="critical"'), values: '_x9 1x70' },
    ]
    const imbalance = {
      exp_labels: { severity: 'critical', escalation: 'second', escalates: 'LedgerImbalance', team: 'mail' },
      exp_annotations: Object.fromEntries(
        Object.entries(copy.exp_annotations).map(([name, text]) => [
          name,
          text.replace('ElemtaDown', 'LedgerImbalance'),
        ]),
      ),
    }
    promtoolTest(RULES, [{ interval: '1m', input_series, alert_rule_test: [at(35, copy), at(70, copy, imbalance)] }])
  })
})

describe('for real', () => {
  const timing = { evaluation_interval: 1_000, scale: 1 }
  let smarthost: NextHop
  let web: HttpSink
  let alertmanager: Alertmanager
  let prometheus: Prometheus

  /** A rule file with an alert that fires while it is true. */
  function fault(name: string, is: boolean): string {
    const annotations = { summary: `${name} in short` }
    const rule = { alert: name, expr: `vector(${is ? 1 : 0}) > 0`, labels: { severity: 'critical' }, annotations }
    return stringify({ groups: [{ name, rules: [rule] }] })
  }

  const mail = (subject: string) =>
    smarthost.messages
      .filter(({ content }) => content.includes(`Subject: ${subject}`))
      .flatMap(({ recipients }) => recipients.map(String))
      .sort()

  const states = async (name: string) =>
    Object.fromEntries(
      (await alertmanager.alerts())
        .filter(({ labels }) => labels.alertname === name)
        .map(({ labels, status }) => [labels.escalation ?? 'first', status.state]),
    )

  beforeAll(async () => {
    smarthost = await startNextHop()
    web = await startHttpSink()
    const secrets = { 'secrets/smtp_password': 'unused', 'secrets/slack_url': `${web.url}/slack` }
    alertmanager = await startPrivateAlertmanager({
      'alertmanager.yml': 'route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n',
      ...secrets,
    })
    const site = quickRouting(
      `127.0.0.1:${smarthost.port}`,
      `${alertmanager.home}/secrets`,
      `escalation: { after: 2s }\non_call:${PEOPLE}\n  first: [{ who: alice }]\n  second: [{ who: carol }]`,
    )
    const { email, ...rest } = site
    const { user: _, password_file: __, ...plain } = email! // this smarthost asks for no login
    await alertmanager.reload(alertmanagerFiles({ ...rest, email: plain }))
    const own = `127.0.0.1:${alertmanager.port}`
    const targets = at({ elemta: own, clamav: own, rspamd: own, prometheus: own, alertmanager: own })
    const rendered = new Map([...renderPrometheus({ timing }), ...renderTargets(targets)])
    prometheus = await startPrivatePrometheus({
      ...Object.fromEntries([...rendered].map(([path, text]) => [path.replace('prometheus/', ''), text])),
      'rules/escalation.yml': renderEscalation(site, { ...DEFAULT_SETTINGS, timing }),
      'rules/fault.yml': fault('Fault', true),
    })
  })

  afterAll(async () => {
    await prometheus?.stop()
    await alertmanager?.stop()
    await Promise.all([smarthost?.close(), web?.close()])
  })

  test('the first in line is told, then the second; both hear of its end', async () => {
    const [alice, carol, ops] = ['alice', 'carol', 'ops'].map(who => expect.stringContaining(`${who}@`))
    await expect.poll(() => mail('[CRITICAL] Fault'), { timeout: 20_000 }).toEqual([alice, ops])
    await expect.poll(() => mail('[ESCALATED] Fault'), { timeout: 20_000 }).toEqual([carol, ops])
    expect(mail('[ESCALATED] Fault: Fault has been firing for 2s')).toHaveLength(2)
    await prometheus.reload({ 'rules/fault.yml': fault('Fault', false) })
    await expect.poll(() => mail('[RESOLVED] Fault'), { timeout: 20_000 }).toEqual([alice, carol, ops, ops])
  }, 60_000)

  test('who silences an alert has it: the second in line is left alone', async () => {
    const now = Date.now()
    const silence = {
      matchers: [{ name: 'alertname', value: 'Known', isRegex: false, isEqual: true }],
      startsAt: new Date(now).toISOString(),
      endsAt: new Date(now + 3_600_000).toISOString(),
      createdBy: 'alice',
      comment: 'I have it',
    }
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(`${alertmanager.url}/api/v2/silences`, {
      method: 'POST',
      headers,
      body: JSON.stringify(silence),
    })
    expect(response.status).toBe(200)
    await prometheus.reload({ 'rules/fault.yml': fault('Known', true) })
    await expect.poll(() => states('Known'), { timeout: 20_000 }).toEqual({ first: 'suppressed', second: 'suppressed' })
    expect(mail('[ESCALATED] Known')).toEqual([])
  }, 60_000)
})
