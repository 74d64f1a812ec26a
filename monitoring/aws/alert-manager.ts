// The routing tree as the Alertmanager of Amazon Managed Service for Prometheus takes it: a document with the templates and,
// as text, the configuration, whose only receivers are SNS topics. Each message goes out twice to its topic: as text for
// people, and as JSON for notify-slack; the topic's subscriptions choose by the message's attribute (alert-topics).
// On-call shifts have no counterpart here: a topic tells all its subscribers, at any hour.
import { stringify } from 'yaml'
import { alertmanagerConfiguration } from '../routing/alertmanager.ts'
import type { RoutingSettings } from '../routing/settings.ts'
import { ALERT_TEMPLATES } from './templates.ts'

/** ARNs. What is only informative has no topic: nobody is told. */
export type AlertTopics = Readonly<{ critical: string; warning: string; watchdog: string }>

/**
 * Attributes that a message carries when it is for one kind of reader only. A subscription asks that the other's is
 * missing: so both get what carries neither, such as CloudWatch's alarms.
 */
export const FOR_PEOPLE = 'for_people'
export const FOR_SLACK = 'for_slack'

/** The service repeats at least this often, whatever the configuration says. */
const LONGEST_REPEAT = 5 * 86_400_000
/** Between two signs of life: an alarm misses them after a quarter of an hour. */
const SIGN_OF_LIFE = 5 * 60_000

/** The text of an AlertManagerDefinition. */
export function alertManagerDefinition(routing: RoutingSettings, topics: AlertTopics, region: string): string {
  const { global: _, ...configuration } = alertmanagerConfiguration(onAws(routing))
  return stringify(
    {
      template_files: ALERT_TEMPLATES,
      alertmanager_config: stringify(
        {
          ...configuration,
          templates: Object.keys(ALERT_TEMPLATES),
          receivers: configuration.receivers.map(({ name }) => ({
            name,
            ...snsConfigs(name, topics, { sigv4: { region } }),
          })),
        },
        { lineWidth: 0, aliasDuplicateObjects: false },
      ),
    },
    { lineWidth: 0, blockQuote: 'literal' },
  )
}

function onAws(routing: RoutingSettings): RoutingSettings {
  const { grouping, on_call } = routing
  return {
    ...routing,
    grouping: {
      ...grouping,
      repeat_critical: Math.min(grouping.repeat_critical, LONGEST_REPEAT),
      repeat_warning: Math.min(grouping.repeat_warning, LONGEST_REPEAT),
    },
    dead_mans_switch: { every: SIGN_OF_LIFE },
    on_call: { ...on_call, first: [], second: [] },
  }
}

/** What `receiver` tells which topic. `sns`: where that is, in the words of Alertmanager. */
export function snsConfigs(receiver: string, topics: AlertTopics, sns: object): object {
  const common = { ...sns, subject: '{{ template "elemta.aws.subject" . }}' }
  const told = (topic_arn: string) => ({
    sns_configs: [
      {
        ...common,
        topic_arn,
        send_resolved: true,
        message: '{{ template "elemta.aws.text" . }}',
        attributes: { [FOR_PEOPLE]: 'text' },
      },
      {
        ...common,
        topic_arn,
        send_resolved: true,
        message: '{{ template "elemta.aws.json" . }}',
        attributes: { [FOR_SLACK]: 'json' },
      },
    ],
  })
  switch (receiver) {
    case 'critical':
    case 'escalated':
      return told(topics.critical)
    case 'warning':
      return told(topics.warning)
    case 'dead-mans-switch':
      return {
        sns_configs: [{ ...common, topic_arn: topics.watchdog, send_resolved: false, message: 'Alerts arrive' }],
      }
    case 'info':
      return {}
    default:
      throw new Error(`the receiver ${receiver} has no topic`)
  }
}
