// By whom alerts are heard: a topic for each severity, with e-mail for people and a function for Slack, and one for signs of
// life, to which nobody subscribes: an alarm tells when it falls silent. Alertmanager says everything twice, once for
// people and once for Slack, and marks which is which (monitoring/aws/alert-manager.ts); alarms carry no mark and go to both.
import { Duration } from 'aws-cdk-lib'
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { SqsDestination } from 'aws-cdk-lib/aws-lambda-destinations'
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager'
import { SubscriptionFilter, Topic } from 'aws-cdk-lib/aws-sns'
import { EmailSubscription, LambdaSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import { type IQueue, Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { FOR_PEOPLE, FOR_SLACK } from '../../monitoring/aws/alert-manager.ts'
import { NOTIFY_SLACK_ENVIRONMENT } from '../../monitoring/aws/function-contracts.ts'
import { acknowledge } from './acknowledge.ts'
import { NodeFunction } from './node-function.ts'

export type AlertTopicsProps = Readonly<{
  /** E-mail addresses; each has to confirm once. */
  critical: readonly string[]
  /** Without any, and without Slack, the critical ones. */
  warning: readonly string[]
  /** Its field `url` is Slack's incoming webhook. */
  slackWebhook?: ISecret | undefined
  logDays: number
}>

export class AlertTopics extends Construct {
  readonly critical: Topic
  readonly warning: Topic
  /** Signs of life of the whole way that alerts go. */
  readonly watchdog: Topic
  /** With Slack: the function, and what it could not tell. */
  readonly slack?: Readonly<{ function: NodeFunction; untold: Queue }>

  constructor(scope: Construct, id: string, { critical, warning, slackWebhook, logDays }: AlertTopicsProps) {
    super(scope, id)
    this.critical = this.topic('Critical', 'Elemta: someone is needed now')
    this.warning = this.topic('Warning', 'Elemta: work for the day')
    this.watchdog = this.topic('Watchdog', 'Elemta: alerts arrive')
    for (const address of critical) this.critical.addSubscription(toPeople(address))
    const readers = warning.length > 0 || slackWebhook !== undefined ? warning : critical
    for (const address of readers) this.warning.addSubscription(toPeople(address))
    if (slackWebhook !== undefined) this.slack = this.tellSlack(slackWebhook, logDays)
  }

  /** Lets the Alertmanager of a workspace publish, and nobody else's. */
  allowAlertmanager(workspaceArn: string): void {
    for (const topic of [this.critical, this.warning, this.watchdog]) {
      const grant = topic.grantPublish(
        new ServicePrincipal('aps.amazonaws.com', {
          conditions: {
            ArnEquals: { 'aws:SourceArn': workspaceArn },
            StringEquals: { 'aws:SourceAccount': topic.stack.account },
          },
        }),
      )
      for (const statement of grant.resourceStatements) statement.addActions('sns:GetTopicAttributes')
    }
  }

  private topic(name: string, displayName: string): Topic {
    // Unencrypted at rest: neither CloudWatch nor Alertmanager can use the key that AWS keeps, and alerts hold no mail.
    const topic = new Topic(this, name, { displayName, enforceSSL: true })
    const { account, region, partition } = topic.stack
    const alarms = new ServicePrincipal('cloudwatch.amazonaws.com', {
      conditions: { ArnLike: { 'aws:SourceArn': `arn:${partition}:cloudwatch:${region}:${account}:alarm:*` } },
    })
    if (name !== 'Watchdog') topic.grantPublish(alarms)
    return topic
  }

  private tellSlack(webhook: ISecret, logDays: number) {
    const untold = new Queue(this, 'Untold', {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    })
    acknowledge(untold, { SQS3: 'It is the dead-letter queue' })
    const notify = new NodeFunction(this, 'NotifySlack', {
      name: 'notify-slack',
      description: 'Tells Slack of alerts and alarms',
      logDays,
      timeout: Duration.seconds(30),
      memorySize: 256,
      environment: { [NOTIFY_SLACK_ENVIRONMENT.webhookSecret]: webhook.secretArn },
    })
    webhook.grantRead(notify)
    // What the topic could not hand over, and what the function failed at three times, lie in the same place.
    notify.configureAsyncInvoke({ onFailure: new SqsDestination(untold as IQueue), retryAttempts: 2 })
    for (const topic of [this.critical, this.warning]) {
      topic.addSubscription(
        new LambdaSubscription(notify, {
          deadLetterQueue: untold as IQueue,
          filterPolicy: { [FOR_PEOPLE]: SubscriptionFilter.notExistsFilter() },
        }),
      )
    }
    return { function: notify, untold }
  }
}

function toPeople(address: string): EmailSubscription {
  return new EmailSubscription(address, { filterPolicy: { [FOR_SLACK]: SubscriptionFilter.notExistsFilter() } })
}
