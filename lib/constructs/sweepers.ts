// What has to be done again and again, each by a function on a schedule: bring deferred mail back, find what was left
// behind by a crash, tell how long the queues are. Two at the same time do no harm: every step is a conditional write.
import { Duration } from 'aws-cdk-lib'
import { Rule, Schedule } from 'aws-cdk-lib/aws-events'
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets'
import { Construct } from 'constructs'
import { COLLECTOR_ENVIRONMENT } from '../../monitoring/aws/collector.ts'
import { grantRole } from './access.ts'
import { remoteWrite } from './collector.ts'
import { gatewayEnvironment } from './gateway-environment.ts'
import type { PipelineParts } from './gateway-task.ts'
import { NodeFunction } from './node-function.ts'

const SWEEPS = {
  SweepDeferred: {
    name: 'sweep-deferred',
    minutes: 1,
    description: 'Brings deferred mail back when its time has come',
  },
  SweepOrphans: {
    name: 'sweep-orphans',
    minutes: 10,
    description: 'Finds contents without a record, and jobs without a message',
  },
  PublishQueueMetrics: { name: 'publish-queue-metrics', minutes: 1, description: 'Tells how long the queues are' },
} as const

export type SweepersProps = PipelineParts

export class Sweepers extends Construct {
  readonly functions: readonly NodeFunction[]

  constructor(scope: Construct, id: string, { settings, storage, metrics }: SweepersProps) {
    super(scope, id)
    this.functions = Object.entries(SWEEPS).map(([sweep, { name, minutes, description }]) => {
      const made = new NodeFunction(this, sweep, {
        name,
        description,
        logDays: settings.logDays,
        timeout: Duration.seconds(50),
        memorySize: 256,
        environment: {
          ...gatewayEnvironment(settings, 'upkeep', storage),
          ...(sweep === 'PublishQueueMetrics' && { [COLLECTOR_ENVIRONMENT.remoteWrite]: metrics.remoteWriteUrl }),
        },
      })
      grantRole(made, 'upkeep', storage)
      if (sweep === 'PublishQueueMetrics') made.addToRolePolicy(remoteWrite(metrics))
      new Rule(this, `${sweep}Schedule`, {
        schedule: Schedule.rate(Duration.minutes(minutes)),
        // The next turn comes soon: a late one is not worth having.
        targets: [new LambdaFunction(made, { retryAttempts: 0, maxEventAge: Duration.minutes(minutes) })],
      })
      return made
    })
  }
}
