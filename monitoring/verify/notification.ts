// Does a notification get through? Hands Alertmanager an alert of its own name, so that it waits for no other group's
// interval, and watches Alertmanager's counters until every integration of the receivers that got it has sent one more.
// Counters do not say of which alert: when another alert is told in the same moment, that one may be what was counted.
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { parse } from 'yaml'
import { parseDuration } from '../../src/platform/config-units.ts'
import { askJson, askText, type Check } from './check.ts'
import { refusedReload } from './rules.ts'

export type Severity = 'critical' | 'warning'
type Counts = Readonly<{ sent: number; failed: number }>

const LOOK_INTERVAL = 500
/** Beyond the time that a group waits: for the sending itself. */
const PATIENCE = 20_000
const KIND = /^(email|slack|webhook|pagerduty|opsgenie|pushover|victorops|sns|telegram|webex|wechat)_configs$/

/** Sends a test alert, waits until it was told, and ends it. */
export async function checkNotification(alertmanager: string, severity: Severity): Promise<Check> {
  const refused = await refusedReload('Alertmanager', alertmanager, 'alertmanager')
  const configuration = await configurationOf(alertmanager)
  const alertname = `MonitoringTest${randomBytes(3).toString('hex')}`
  const labels = { alertname, severity, team: 'platform' }
  const annotations = {
    summary: 'This is a test of the notifications: nothing is wrong',
    description: 'Sent by scripts/verify-monitoring-stack.sh. It ends by itself.',
  }
  const before = await counts(alertmanager)
  const started = Date.now()
  const startsAt = new Date(started).toISOString()
  await post(alertmanager, [{ labels, annotations, startsAt }])
  try {
    const receivers = await receiversOf(alertmanager, alertname)
    const kinds = [...new Set(receivers.flatMap(name => integrations(configuration, name)))].sort()
    const to = `receiver ${receivers.join(', ') || 'nobody'}`
    if (kinds.length === 0) {
      const text = `a ${severity} alert is told to nobody (${to} has no e-mail, Slack or webhook): set up routing.yaml`
      return { name: 'notification', summary: 'not delivered', problems: [...refused, text] }
    }
    const problems = await told(alertmanager, { kinds, before, until: started + groupWait(configuration) + PATIENCE })
    const seconds = ((Date.now() - started) / 1000).toFixed(1)
    const summary =
      problems.length === 0 ? `delivered by ${kinds.join(' and ')} after ${seconds} s (${to})` : `not delivered (${to})`
    return { name: 'notification', summary, problems: [...refused, ...problems], notes: [`it was called ${alertname}`] }
  } finally {
    await post(alertmanager, [{ labels, annotations, startsAt, endsAt: new Date().toISOString() }])
  }
}

async function told(
  alertmanager: string,
  { kinds, before, until }: Readonly<{ kinds: readonly string[]; before: ReadonlyMap<string, Counts>; until: number }>,
): Promise<string[]> {
  for (;;) {
    const now = await counts(alertmanager)
    const states = kinds.map(kind => {
      const [was, is] = [before.get(kind) ?? NONE, now.get(kind) ?? NONE]
      return { kind, failed: is.failed - was.failed, good: is.sent - is.failed - (was.sent - was.failed) }
    })
    const waiting = states.filter(({ good }) => good <= 0)
    if (waiting.length === 0) return []
    if (Date.now() > until || waiting.every(({ failed }) => failed > 0)) {
      return waiting.map(({ kind, failed }) =>
        failed > 0
          ? `${kind}: ${failed} failed attempts; Alertmanager’s log says why, see the address and its secret in routing.yaml`
          : `${kind}: nothing was sent in time; is it silenced, or in hours of maintenance? amtool alert query`,
      )
    }
    await sleep(LOOK_INTERVAL)
  }
}

const NONE: Counts = { sent: 0, failed: 0 }

/** What Alertmanager counted, by integration: attempts at the receiver, successful or not. */
async function counts(alertmanager: string): Promise<Map<string, Counts>> {
  const found = new Map<string, Counts>()
  const own = await askText(`${alertmanager}/metrics`)
  for (const [, name, labels = '', value] of own.matchAll(
    /^alertmanager_notification_(requests\w*_total)\{(.*)\} (\S+)$/gm,
  )) {
    const kind = /integration="(\w+)"/.exec(labels)?.[1] ?? ''
    const { sent, failed } = found.get(kind) ?? NONE
    const more = Number(value)
    found.set(kind, name === 'requests_total' ? { sent: sent + more, failed } : { sent, failed: failed + more })
  }
  return found
}

type Configuration = Readonly<{
  route?: unknown
  receivers?: readonly Readonly<Record<string, unknown> & { name: string }>[]
}>

async function configurationOf(alertmanager: string): Promise<Configuration> {
  const status = (await askJson(`${alertmanager}/api/v2/status`)) as { config?: { original?: string } }
  return (parse(status.config?.original ?? '') ?? {}) as Configuration
}

function integrations({ receivers = [] }: Configuration, name: string): string[] {
  const receiver = receivers.find(receiver => receiver.name === name) ?? { name }
  return Object.keys(receiver).flatMap(key => KIND.exec(key)?.[1] ?? [])
}

/** The longest wait of any route, in milliseconds; Alertmanager's own default where none is named. */
function groupWait({ route }: Configuration): number {
  const waits = [...JSON.stringify(route ?? {}).matchAll(/"group_wait":"([^"]+)"/g)].map(([, text]) =>
    parseDuration(text!),
  )
  return Math.max(30_000, ...waits)
}

async function receiversOf(alertmanager: string, alertname: string): Promise<string[]> {
  const filter = encodeURIComponent(`alertname="${alertname}"`)
  type Alert = Readonly<{ receivers: readonly { name: string }[] }>
  const alerts = (await askJson(`${alertmanager}/api/v2/alerts?filter=${filter}`)) as readonly Alert[]
  return [...new Set(alerts.flatMap(({ receivers }) => receivers.map(({ name }) => name)))]
}

async function post(alertmanager: string, alerts: readonly object[]): Promise<void> {
  const headers = { 'content-type': 'application/json' }
  const answer = await askText(`${alertmanager}/api/v2/alerts`, {
    method: 'POST',
    headers,
    body: JSON.stringify(alerts),
  })
  if (answer.trim() !== '') throw new Error(`Alertmanager refused the test alert: ${answer.trim()}`)
}
