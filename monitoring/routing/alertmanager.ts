// alertmanager.yml from tree, intervals, inhibitions and receivers. Only what Alertmanager 0.25 knows is used; passwords
// and the Slack URL stay in files, which it reads when it sends.
import { stringify } from 'yaml'
import { formatDuration } from '../../src/platform/config-units.ts'
import { INHIBITIONS } from './inhibitions.ts'
import { type Interval, type IntervalSpan, intervals } from './intervals.ts'
import { type Receiver, receivers } from './receivers.ts'
import type { RoutingSettings } from './settings.ts'
import { GROUP_BY, type Matcher, type Route, routingTree } from './tree.ts'
import { dayName, formatTime } from './week.ts'

const HEAD = `# Written by \`npm run monitoring\` from monitoring/routing.yaml and monitoring/routing: change those.
`
/** Autoresponders keep quiet (RFC 3834 §5). */
const HEADERS = { Subject: '{{ template "elemta.title" . }}', 'Auto-Submitted': 'auto-generated' }

/** The text of alertmanager.yml. `deadMansUrl`: what its url or url_file says. */
export function renderAlertmanager(settings: RoutingSettings, deadMansUrl?: string): string {
  return (
    HEAD + stringify(alertmanagerConfiguration(settings, deadMansUrl), { lineWidth: 0, aliasDuplicateObjects: false })
  )
}

/** What is in it. */
export function alertmanagerConfiguration(settings: RoutingSettings, deadMansUrl?: string) {
  const { email, slack, on_call } = settings
  return {
    global: {
      ...(email && {
        smtp_from: email.from,
        smtp_smarthost: email.smarthost,
        smtp_hello: email.hello,
        smtp_require_tls: email.tls,
        ...(email.user && { smtp_auth_username: email.user, smtp_auth_password_file: email.password_file }),
      }),
      ...(slack && { slack_api_url_file: slack.webhook_url_file }),
    },
    templates: ['templates/*.tmpl'],
    route: { group_by: GROUP_BY, ...renderRoute(routingTree(settings)) },
    inhibit_rules: INHIBITIONS.map(({ source, target, equal }) => ({
      source_matchers: source.map(renderMatcher),
      target_matchers: target.map(renderMatcher),
      ...(equal.length > 0 && { equal }),
    })),
    time_intervals: intervals(settings).map(interval => renderInterval(interval, on_call.time_zone)),
    receivers: receivers(settings, deadMansUrl).map(renderReceiver),
  }
}

function renderRoute({ receiver, matchers, continues, timings, muted = [], active = [], routes }: Route): object {
  return {
    receiver,
    ...(matchers.length > 0 && { matchers: matchers.map(renderMatcher) }),
    ...(continues && { continue: true }),
    ...(timings && {
      group_wait: formatDuration(timings.wait),
      group_interval: formatDuration(timings.interval),
      repeat_interval: formatDuration(timings.repeat),
    }),
    ...(muted.length > 0 && { mute_time_intervals: muted }),
    ...(active.length > 0 && { active_time_intervals: active }),
    ...(routes && { routes: routes.map(renderRoute) }),
  }
}

const renderMatcher = ([label, operator, value]: Matcher) => `${label}${operator}${JSON.stringify(value)}`

function renderInterval({ name, spans }: Interval, zone: string): object {
  return { name, time_intervals: spans.map(span => ({ ...renderSpan(span), location: zone })) }
}

function renderSpan(span: IntervalSpan): object {
  const times = [{ start_time: formatTime(span.hours.start), end_time: formatTime(span.hours.end) }]
  if ('days' in span) return { times, ...(span.days.length < 7 && { weekdays: span.days.map(dayName) }) }
  const [year, month, day] = span.date.split('-').map(part => String(Number(part)))
  return { times, days_of_month: [day], months: [month], years: [year] }
}

function renderReceiver({ name, emails, channels, webhook }: Receiver) {
  const email = (to: string) => ({ to, send_resolved: true, headers: HEADERS, html: '', text: TEXT })
  return {
    name,
    ...(emails.length > 0 && { email_configs: emails.map(email) }),
    ...(channels.length > 0 && { slack_configs: channels.map(channel => ({ channel, ...SLACK })) }),
    ...(webhook !== undefined && { webhook_configs: [{ url: webhook, send_resolved: false }] }),
  }
}

const TEXT = '{{ template "elemta.text" . }}'
const SLACK = {
  send_resolved: true,
  color: '{{ template "elemta.color" . }}',
  title: '{{ template "elemta.title" . }}',
  title_link: '{{ .ExternalURL }}',
  fallback: '{{ template "elemta.title" . }}',
  text: '{{ template "elemta.slack" . }}',
}
