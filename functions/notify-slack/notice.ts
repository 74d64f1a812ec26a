// What a message of an alert topic says: from Alertmanager (our JSON), from a CloudWatch alarm, or whatever else it is.
// Pure. Nothing is refused: a shape that we don't know becomes a notice with its text, since somebody sent it for a reason.

export type NoticeStatus = 'critical' | 'warning' | 'info' | 'resolved'

export type NoticeItem = Readonly<{
  text: string
  /** Labels that tell it from others of its name: `instance a`. */
  about: readonly string[]
  isOver: boolean
  runbook?: string
  dashboard?: string
}>

export type Notice = Readonly<{
  status: NoticeStatus
  title: string
  items: readonly NoticeItem[]
  /** Items that the message only counts. */
  more: number
  /** Two messages with the same key say the same: a topic may deliver one twice, Alertmanager runs more than once. */
  key: string
}>

type Fields = Readonly<Record<string, unknown>>

/** Labels that the title says already, or that only route. */
const UNTOLD = /^(alertname|severity|team|slo|escalation|escalates)$/
const LONGEST = 2_500

/** Never throws. */
export function parseNotice(subject: string | undefined, message: string): Notice {
  const fields = fieldsIn(message)
  if (fields?.source === 'elemta' && Array.isArray(fields.alerts) && fields.alerts.every(isFields)) {
    return fromAlertmanager(fields, fields.alerts)
  }
  if (typeof fields?.AlarmName === 'string' && typeof fields.NewStateValue === 'string') return fromAlarm(fields)
  const title = subject || 'Message without a subject'
  return {
    status: /^\[?(OK|RESOLVED)\b/i.test(title) ? 'resolved' : /critical|alarm/i.test(title) ? 'critical' : 'warning',
    title,
    items: [{ text: shortened(message), about: [], isOver: false, ...linksIn(message) }],
    more: 0,
    key: `text ${title} ${message}`,
  }
}

function fromAlertmanager(fields: Fields, alerts: readonly Fields[]): Notice {
  const [first = {}] = alerts
  const labels = fieldsOf(first.labels)
  const isOver = fields.status === 'resolved'
  const severity = textOf(labels.severity)
  const word = isOver ? 'RESOLVED' : labels.escalation === 'second' ? 'ESCALATED' : severity.toUpperCase()
  const summary = textOf(fieldsOf(first.annotations).summary)
  const count = typeof fields.count === 'number' ? fields.count : alerts.length
  const title = `[${word}] ${textOf(labels.alertname)}${summary && `: ${summary}`}${count > 1 ? ` (${count} alerts)` : ''}`
  const states = alerts.map(({ status, fingerprint, labels }) => [status, fingerprint ?? labels])
  return {
    status: isOver ? 'resolved' : severity === 'critical' || severity === 'info' ? severity : 'warning',
    title,
    items: alerts.map(alertItem),
    more: count - alerts.length,
    key: `alertmanager ${JSON.stringify([fields.receiver, fields.group, fields.status, states])}`,
  }
}

function alertItem({ status, labels, annotations }: Fields): NoticeItem {
  const { description, summary, runbook_url, dashboard_url } = fieldsOf(annotations)
  return {
    text: shortened(textOf(description) || textOf(summary)),
    about: Object.entries(fieldsOf(labels)).flatMap(([name, value]) => (UNTOLD.test(name) ? [] : [`${name} ${value}`])),
    isOver: status === 'resolved',
    ...linkFields(textOf(runbook_url), textOf(dashboard_url)),
  }
}

/** A CloudWatch alarm begins its description with its severity: `critical: …` (lib/constructs/cloudwatch-alarms.ts). */
function fromAlarm(fields: Fields): Notice {
  const description = textOf(fields.AlarmDescription)
  const [, severity = 'warning', text = description] = /^(critical|warning|info): (.*)$/s.exec(description) ?? []
  const isOver = fields.NewStateValue === 'OK'
  const name = textOf(fields.AlarmName)
  return {
    status: isOver ? 'resolved' : (severity as NoticeStatus),
    title: `[${isOver ? 'RESOLVED' : severity.toUpperCase()}] ${name}`,
    items: [
      {
        text: shortened([text, textOf(fields.NewStateReason)].filter(part => part !== '').join('\n')),
        about: typeof fields.Region === 'string' ? [fields.Region] : [],
        isOver,
        ...linkFields(linksIn(description).runbook ?? '', consoleLink(fields, name)),
      },
    ],
    more: 0,
    key: `alarm ${name} ${textOf(fields.NewStateValue)} ${textOf(fields.StateChangeTime)}`,
  }
}

/** `arn:aws:cloudwatch:eu-central-1:1234:alarm:Name`; elsewhere than in the partition `aws` consoles have other names. */
function consoleLink({ AlarmArn }: Fields, name: string): string {
  const [, region] = /^arn:aws:cloudwatch:([a-z0-9-]+):/.exec(textOf(AlarmArn)) ?? []
  if (region === undefined) return ''
  return `https://${region}.console.aws.amazon.com/cloudwatch/home?region=${region}#alarmsV2:alarm/${encodeURIComponent(name)}`
}

function linkFields(runbook: string, dashboard: string): Pick<NoticeItem, 'runbook' | 'dashboard'> {
  return { ...(runbook && { runbook }), ...(dashboard && { dashboard }) }
}

function linksIn(text: string): Pick<NoticeItem, 'runbook'> {
  const [runbook] = /https?:\/\/\S+\.md\b/.exec(text) ?? []
  return runbook === undefined ? {} : { runbook }
}

function fieldsIn(message: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(message)
    return isFields(value) ? value : undefined
  } catch {
    return undefined
  }
}

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null
const fieldsOf = (value: unknown): Fields => (isFields(value) ? value : {})
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')
const shortened = (text: string) => (text.length > LONGEST ? `${text.slice(0, LONGEST)} …` : text)
