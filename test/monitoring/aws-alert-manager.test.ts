// The Alertmanager definition for AWS, in a real Alertmanager whose SNS is an emulator: what comes to whom, as text for
// people and as JSON that notify-slack turns into a message for Slack.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type FauxqsServer, startFauxqs } from 'fauxqs'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { parse, stringify } from 'yaml'
import { createNotifySlack } from '../../functions/notify-slack/notify-slack.ts'
import type { Alertmanager, PostedAlert } from '../../local/drill/alertmanager.ts'
import { type HttpSink, startHttpSink } from '../../local/drill/http-sink.ts'
import { alertManagerDefinition, FOR_PEOPLE, FOR_SLACK } from '../../monitoring/aws/alert-manager.ts'
import { alertmanagerConfiguration } from '../../monitoring/routing/alertmanager.ts'
import { parseRouting } from '../../monitoring/routing/settings.ts'
import { startPrivateAlertmanager } from './start-alertmanager.ts'

const REGION = 'eu-central-1'
const ARNS = Object.fromEntries(
  ['critical', 'warning', 'watchdog'].map(name => [name, `arn:aws:sns:${REGION}:111111111111:${name}`]),
) as Record<'critical' | 'warning' | 'watchdog', string>
const ROUTING = parseRouting(`
slack: { webhook_url_file: /unused }
grouping: { wait: 0s, interval: 1s, repeat_warning: 9d }`)

type Definition = { template_files: Record<string, string>; alertmanager_config: string }
type Configuration = {
  route: object
  inhibit_rules: object[]
  receivers: { name: string; sns_configs?: Record<string, unknown>[] }[]
}

const definition: Definition = parse(alertManagerDefinition(ROUTING, ARNS, REGION))
const configuration: Configuration = parse(definition.alertmanager_config)

describe('the definition', () => {
  test('is one that Alertmanager takes, with routes to a topic for each severity', () => {
    const dir = mkdtempSync(join(tmpdir(), 'elemta-amtool-'))
    try {
      for (const [name, text] of Object.entries(definition.template_files)) writeFileSync(join(dir, name), text)
      writeFileSync(join(dir, 'am.yml'), definition.alertmanager_config)
      const amtool = (...args: string[]) => execFileSync('amtool', args, { cwd: dir, encoding: 'utf8', stdio: 'pipe' })
      expect(amtool('check-config', 'am.yml')).toContain('SUCCESS')
      const routed = (...labels: string[]) =>
        amtool('config', 'routes', 'test', '--config.file=am.yml', ...labels).trim()
      expect(routed('alertname=ElemtaDown', 'severity=critical')).toBe('critical')
      expect(routed('alertname=ElemtaDown', 'severity=critical', 'escalation=second')).toBe('escalated')
      expect(routed('alertname=DeadLetters', 'severity=warning')).toBe('warning')
      expect(routed('alertname=New')).toBe('warning')
      expect(routed('alertname=MailVolumeAnomaly', 'severity=info')).toBe('info')
      expect(routed('alertname=Watchdog', 'severity=info')).toBe('dead-mans-switch')
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  })

  test('has nothing that the service refuses: SNS alone, each with its region, no secret and no global part', () => {
    expect(configuration).not.toHaveProperty('global')
    for (const { name: _, ...ways } of configuration.receivers) {
      for (const way of Object.keys(ways)) expect(way).toBe('sns_configs')
    }
    const topics = configuration.receivers.flatMap(({ sns_configs = [] }) => sns_configs)
    expect(topics).toHaveLength(7)
    for (const topic of topics) {
      expect(topic.sigv4).toEqual({ region: REGION })
      expect(topic).not.toHaveProperty('api_url')
      expect(topic).not.toHaveProperty('http_config')
    }
  })

  test('is the tree of every home: routes, waits and inhibitions; repeated within five days at least', () => {
    const elsewhere = alertmanagerConfiguration({
      ...ROUTING,
      grouping: { ...ROUTING.grouping, repeat_warning: 5 * 86_400_000 },
      dead_mans_switch: { every: 300_000 },
    })
    expect(configuration.route).toEqual(JSON.parse(JSON.stringify(elsewhere.route)))
    expect(configuration.inhibit_rules).toEqual(JSON.parse(JSON.stringify(elsewhere.inhibit_rules)))
  })

  test('leaves shifts out: a topic tells all who subscribe to it', () => {
    const shifts = parseRouting(`
email: { from: a@example.com, to: [b@example.com], smarthost: "mail.example.com:25" }
on_call: { people: { eve: { email: eve@example.com } }, first: [{ who: eve }] }`)
    const { receivers }: Configuration = parse(
      (parse(alertManagerDefinition(shifts, ARNS, REGION)) as Definition).alertmanager_config,
    )
    expect(receivers.map(({ name }) => name)).toEqual(configuration.receivers.map(({ name }) => name))
  })
})

describe('what is sent', () => {
  let aws: FauxqsServer
  let slack: HttpSink
  let alertmanager: Alertmanager

  beforeAll(async () => {
    aws = await startFauxqs({ port: 0, logger: false, defaultRegion: REGION })
    slack = await startHttpSink()
    for (const name of ['critical', 'warning', 'watchdog']) {
      aws.createTopic(name, { region: REGION })
      for (const [reader, other] of [
        ['people', FOR_SLACK],
        ['slack', FOR_PEOPLE],
      ]) {
        const queue = `${name}-${reader}`
        aws.createQueue(queue, { region: REGION })
        const FilterPolicy = JSON.stringify({ [other!]: [{ exists: false }] })
        aws.subscribe({ topic: name, queue, region: REGION, attributes: { FilterPolicy } })
      }
    }
    alertmanager = await startPrivateAlertmanager({
      ...definition.template_files,
      'alertmanager.yml': pointed(aws.port),
    })
  })

  afterAll(async () => {
    await alertmanager?.stop()
    await Promise.all([slack?.close(), aws?.stop()])
  })

  /** The same configuration, but for where SNS is and who asks: the service sets both itself. */
  function pointed(port: number): string {
    const receivers = configuration.receivers.map(({ name, sns_configs = [] }) => ({
      name,
      sns_configs: sns_configs.map(topic => ({
        ...topic,
        topic_arn: String(topic.topic_arn).replace('111111111111', '000000000000'),
        api_url: `http://127.0.0.1:${port}`,
        sigv4: { region: REGION, access_key: 'test', secret_key: 'test' },
      })),
    }))
    return stringify({ ...configuration, receivers })
  }

  type Sent = { Subject?: string; Message: string; MessageAttributes?: Record<string, { Value: string }> }

  function sentTo(queue: string): Sent[] {
    const { ready = [] } = aws.inspectQueue(queue)?.messages ?? {}
    return ready.map(message => JSON.parse((message as unknown as { body: string }).body))
  }

  /** Waits for what a queue has about an alert. */
  const about = (queue: string, name: string, count = 1) =>
    vi.waitFor(
      () => {
        const found = sentTo(queue).filter(({ Subject = '' }) => Subject.includes(name))
        expect(found.length).toBeGreaterThanOrEqual(count)
        return found
      },
      { timeout: 15_000, interval: 50 },
    )

  const alert = (alertname: string, severity: string, labels: Record<string, string> = {}): PostedAlert => ({
    labels: { alertname, severity, team: 'mail', ...labels },
    annotations: {
      summary: `${alertname} in short`,
      description: `It is 42.5 % of "${alertname}" – <now> & \\then.`,
      runbook_url: `https://runbooks.example.com/${alertname}.md`,
      dashboard_url: 'https://grafana.example.com/d/elemta-dashboard',
    },
  })

  test('text for people, JSON for Slack, at one topic', async () => {
    await alertmanager.post([alert('ElemtaDown', 'critical', { instance: 'a' }), alert('DeadLetters', 'warning')])
    const [mail] = await about('critical-people', 'ElemtaDown')
    expect(mail!.Subject).toBe('[CRITICAL] ElemtaDown')
    expect(mail!.Message).toContain('[CRITICAL] ElemtaDown: ElemtaDown in short')
    expect(mail!.Message).toContain('It is 42.5 % of "ElemtaDown" – <now> & \\then.')
    expect(mail!.Message).toMatch(/Since 20\d\d-.* UTC · instance a/)
    expect(mail!.Message).toContain('Runbook:   https://runbooks.example.com/ElemtaDown.md')
    const [json] = await about('critical-slack', 'ElemtaDown')
    expect(JSON.parse(json!.Message)).toMatchObject({
      source: 'elemta',
      status: 'firing',
      receiver: 'critical',
      count: 1,
      group: { alertname: 'ElemtaDown', severity: 'critical' },
      alerts: [
        {
          status: 'firing',
          labels: { alertname: 'ElemtaDown', instance: 'a' },
          annotations: { description: 'It is 42.5 % of "ElemtaDown" – <now> & \\then.' },
          fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/),
        },
      ],
    })
    await about('warning-slack', 'DeadLetters')
    expect(sentTo('critical-people').some(({ Message }) => Message.startsWith('{'))).toBe(false)
    expect(sentTo('critical-slack').every(({ Message }) => Message.startsWith('{'))).toBe(true)
    expect(sentTo('critical-slack').some(({ Subject }) => Subject?.includes('DeadLetters'))).toBe(false)
  })

  test('notify-slack understands it, and that it is over', async () => {
    const posted = alert('LedgerImbalance', 'critical')
    await alertmanager.post([posted])
    const notify = createNotifySlack(async () => `${slack.url}/hook`)
    const [first] = await about('critical-slack', 'LedgerImbalance')
    await notify({ Records: [{ Sns: first! }] })
    await alertmanager.post([{ ...posted, endsAt: new Date().toISOString() }])
    const last = (await about('critical-slack', '[RESOLVED] LedgerImbalance')).at(-1)
    await notify({ Records: [{ Sns: last! }] })
    expect(slack.posted.map(({ body }) => body)).toMatchObject([
      {
        text: '*[CRITICAL] LedgerImbalance: LedgerImbalance in short*',
        attachments: [
          {
            color: '#d00000',
            text: expect.stringContaining('<https://runbooks.example.com/LedgerImbalance.md|Runbook>'),
          },
        ],
      },
      { text: '*[RESOLVED] LedgerImbalance: LedgerImbalance in short*', attachments: [{ color: '#2e8b57' }] },
    ])
    const [{ body }] = slack.posted as unknown as [{ body: { attachments: { text: string }[] } }]
    expect(body.attachments[0]!.text).toContain('It is 42.5 % of "LedgerImbalance" – &lt;now&gt; &amp; \\then.')
  })

  test('many alerts at once are counted, and the first of them told', async () => {
    await alertmanager.post(
      Array.from({ length: 60 }, (_, n) => alert('DestinationDown', 'warning', { route: `r${n}` })),
    )
    // They may be handed on in two goes: the second tells all of them.
    await vi.waitFor(
      async () => {
        const last = (await about('warning-slack', 'DestinationDown')).at(-1)!
        const { alerts, count } = JSON.parse(last.Message)
        expect([alerts.length, count]).toEqual([50, 60])
      },
      { timeout: 15_000, interval: 50 },
    )
  })

  test('the Watchdog comes to its own topic, and nowhere else', async () => {
    await alertmanager.post([alert('Watchdog', 'info'), alert('MailVolumeAnomaly', 'info')])
    await about('watchdog-people', 'Watchdog')
    for (const queue of ['critical-people', 'critical-slack', 'warning-people', 'warning-slack', 'watchdog-people']) {
      expect(sentTo(queue).filter(({ Subject = '' }) => Subject.includes('MailVolumeAnomaly'))).toEqual([])
    }
    expect(sentTo('warning-people').filter(({ Subject = '' }) => Subject.includes('Watchdog'))).toEqual([])
  })
})
