// Alertmanager of the container stack: as on AWS it tells topics of SNS, which an emulator has there, and notify-slack hears
// them. E-mail goes out as the site's routing says. Pure.
import { stringify } from 'yaml'
import { alertmanagerConfiguration } from '../routing/alertmanager.ts'
import type { RoutingSettings } from '../routing/settings.ts'
import { type AlertTopics, snsConfigs } from './alert-manager.ts'
import { ALERT_TEMPLATES } from './templates.ts'

/** The emulator, as containers reach it. An account that is told nothing else is all zeros. */
export const EMULATOR = { endpoint: 'http://localstack:4566', region: 'eu-central-1', account: '000000000000' } as const

const NAMES = {
  critical: 'elemta-local-monitoring-critical',
  warning: 'elemta-local-monitoring-warning',
  watchdog: 'elemta-local-monitoring-watchdog',
} as const

export const TOPIC_NAMES: readonly string[] = Object.values(NAMES)

/** Those that someone listens to are the first two. */
export const CONTAINER_TOPICS: AlertTopics = {
  critical: topicArn(NAMES.critical),
  warning: topicArn(NAMES.warning),
  watchdog: topicArn(NAMES.watchdog),
}

const HEAD = `# Written by scripts/setup-local.sh from routing.yaml: change that.
`
/** Every key is as good as another there. */
const SNS = {
  api_url: EMULATOR.endpoint,
  sigv4: { region: EMULATOR.region, access_key: 'test', secret_key: 'test' },
}
/** A file beside alertmanager.yml. */
export const SMTP_PASSWORD = 'smtp_password'

/** Receivers that are people have no topic: their e-mail is what they get. */
const WITH_TOPIC = new Set(['critical', 'escalated', 'warning', 'dead-mans-switch'])

/** Text by path below the site's folder. `deadMansUrl`: what the routing's url_file holds. */
export function renderContainerAlertmanager(routing: RoutingSettings, deadMansUrl?: string): Map<string, string> {
  const { global, receivers, ...rest } = alertmanagerConfiguration(routing, deadMansUrl)
  const { slack_api_url_file: _, ...mail } = global
  const configuration = {
    global: {
      ...mail,
      ...('smtp_auth_password_file' in mail && { smtp_auth_password_file: `/etc/alertmanager/${SMTP_PASSWORD}` }),
    },
    ...rest,
    receivers: receivers.map(({ slack_configs: _, ...receiver }) => ({
      ...receiver,
      ...(WITH_TOPIC.has(receiver.name) && snsConfigs(receiver.name, CONTAINER_TOPICS, SNS)),
    })),
  }
  return new Map([
    ['alertmanager/alertmanager.yml', HEAD + stringify(configuration, { lineWidth: 0, aliasDuplicateObjects: false })],
    ...Object.entries(ALERT_TEMPLATES).map(([name, text]): [string, string] => [
      `alertmanager/templates/${name}.tmpl`,
      text,
    ]),
  ])
}

function topicArn(name: string): string {
  return `arn:aws:sns:${EMULATOR.region}:${EMULATOR.account}:${name}`
}
