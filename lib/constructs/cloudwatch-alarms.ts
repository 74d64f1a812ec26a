// Alarms on what Prometheus cannot see: queues, load balancer, functions and the way of the alerts itself, on CloudWatch's
// own metrics, told to the same topics as alerts. Each says what is the case and what to do in its description, which
// begins with its severity: notify-slack reads it.
import { Duration } from 'aws-cdk-lib'
import {
  Alarm,
  ComparisonOperator,
  type IAlarmAction,
  type IMetric,
  Metric,
  Stats,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import type { NetworkTargetGroup } from 'aws-cdk-lib/aws-elasticloadbalancingv2'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import type { Construct } from 'constructs'

export type AlarmTopics = Readonly<{ critical: ITopic; warning: ITopic; runbooks: string }>

type Severity = 'critical' | 'warning'
type Watch = Readonly<{
  severity: Severity
  /** What is the case, and what to do. */
  text: string
  runbook?: string
  metric: IMetric
  /** Fires above it, for `minutes` without a break. */
  above: number
  minutes: number
  /** No figures: nothing happens. */
  missing?: TreatMissingData
  comparison?: ComparisonOperator
}>

const MINUTE = Duration.minutes(1)

function watch(scope: Construct, id: string, topics: AlarmTopics, what: Watch): Alarm {
  const { severity, text, runbook, metric, above, minutes, missing, comparison } = what
  const link = runbook === undefined ? '' : ` Runbook: ${topics.runbooks.replace(/\/$/, '')}/${runbook}.md`
  const period = metric.toMetricConfig().metricStat?.period.toMinutes() ?? 1
  const alarm = new Alarm(scope, id, {
    alarmDescription: `${severity}: ${text}${link}`,
    metric,
    threshold: above,
    evaluationPeriods: Math.ceil(minutes / period),
    comparisonOperator: comparison ?? ComparisonOperator.GREATER_THAN_THRESHOLD,
    treatMissingData: missing ?? TreatMissingData.NOT_BREACHING,
  })
  const action = new SnsAction(topics[severity]) as unknown as IAlarmAction
  alarm.addAlarmAction(action)
  alarm.addOkAction(action)
  return alarm
}

/** Jobs that nobody takes, and wake-ups whose workers died without a word. */
export function watchQueue(
  scope: Construct,
  id: string,
  topics: AlarmTopics,
  { queue, deadLetters, what }: Readonly<{ queue: IQueue; deadLetters: IQueue; what: string }>,
): void {
  watch(scope, `${id}QueueAge`, topics, {
    severity: 'critical',
    text: `${what} wait in the queue for longer than 15 minutes: are its workers running?`,
    runbook: 'OldestMessageTooOld',
    metric: queue.metricApproximateAgeOfOldestMessage({ period: MINUTE, statistic: Stats.MAXIMUM }),
    above: 900,
    minutes: 5,
  })
  watchDeadLetters(scope, `${id}DeadLetters`, topics, deadLetters, {
    text: `${what} lie in the dead-letter queue: their workers died over them again and again.`,
    runbook: 'DeadLetters',
  })
}

export function watchDeadLetters(
  scope: Construct,
  id: string,
  topics: AlarmTopics,
  queue: IQueue,
  { severity = 'warning', ...about }: Readonly<{ severity?: Severity; text: string; runbook?: string }>,
): void {
  const metric = queue.metricApproximateNumberOfMessagesVisible({ period: MINUTE, statistic: Stats.MAXIMUM })
  watch(scope, id, topics, { severity, ...about, metric, above: 0, minutes: 1 })
}

/** Targets that do not answer. With none left the world's mail waits at its senders. */
export function watchLoadBalancer(
  scope: Construct,
  topics: AlarmTopics,
  targetGroups: readonly NetworkTargetGroup[],
): void {
  targetGroups.forEach((group, n) => {
    watch(scope, `UnhealthyHosts${n + 1}`, topics, {
      severity: 'warning',
      text: 'SMTP servers do not answer the load balancer. The service replaces them; look at why they stopped.',
      metric: group.metrics.unHealthyHostCount({ period: MINUTE, statistic: Stats.MAXIMUM }),
      above: 0,
      minutes: 10,
    })
    watch(scope, `NoHealthyHosts${n + 1}`, topics, {
      severity: 'critical',
      text: 'No SMTP server answers: no mail is accepted, senders keep it and try again.',
      runbook: 'ElemtaDown',
      metric: group.metrics.healthyHostCount({ period: MINUTE, statistic: Stats.MAXIMUM }),
      above: 1,
      comparison: ComparisonOperator.LESS_THAN_THRESHOLD,
      minutes: 3,
      missing: TreatMissingData.BREACHING,
    })
  })
}

/** Functions that fail, or that are not let run. */
export function watchFunctions(
  scope: Construct,
  topics: AlarmTopics,
  functions: Readonly<Record<string, IFunction>>,
): void {
  const period = Duration.minutes(5)
  for (const [name, made] of Object.entries(functions)) {
    const common = { severity: 'warning', above: 2, minutes: 10 } as const
    watch(scope, `${name}Errors`, topics, {
      ...common,
      text: `The function ${name} fails again and again: see its log group.`,
      metric: made.metricErrors({ period, statistic: Stats.SUM }),
    })
    watch(scope, `${name}Throttles`, topics, {
      ...common,
      text: `The function ${name} is not let run: the account's concurrency is used up.`,
      metric: made.metricThrottles({ period, statistic: Stats.SUM }),
    })
  }
}

/** The dead man's switch: signs of life come through Prometheus, its rules and Alertmanager every few minutes. */
export function watchAlerting(scope: Construct, topics: AlarmTopics, watchdog: ITopic): void {
  const dimensionsMap = { TopicName: watchdog.topicName }
  const period = Duration.minutes(5)
  watch(scope, 'WatchdogSilent', topics, {
    severity: 'critical',
    text: 'Alerts no longer arrive: Amazon Managed Service for Prometheus or its Alertmanager does not work.',
    runbook: 'Watchdog',
    metric: new Metric({
      namespace: 'AWS/SNS',
      metricName: 'NumberOfMessagesPublished',
      dimensionsMap,
      period,
      statistic: Stats.SUM,
    }),
    above: 1,
    comparison: ComparisonOperator.LESS_THAN_THRESHOLD,
    minutes: 15,
    missing: TreatMissingData.BREACHING,
  })
}
