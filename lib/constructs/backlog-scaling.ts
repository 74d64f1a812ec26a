// As many tasks as the queue needs: waiting messages divided by tasks is held at a target. CDK's own target tracking takes
// no arithmetic, so the policy is written out. The least number of tasks is 1: nothing is divided by zero.
import { CfnScalingPolicy, ScalableTarget, ServiceNamespace } from 'aws-cdk-lib/aws-applicationautoscaling'
import type { FargateService } from 'aws-cdk-lib/aws-ecs'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import type { ServiceSettings } from '../deployment-settings.ts'
import { COOLDOWN } from '../scaling-targets.ts'

export type BacklogScalingProps = Readonly<{
  service: FargateService
  queue: IQueue
  tasks: Pick<ServiceSettings, 'min' | 'max'>
  /** Acceptable seconds of waiting divided by seconds of work per job. */
  backlogPerTask: number
}>

export class BacklogScaling extends Construct {
  constructor(scope: Construct, id: string, { service, queue, tasks, backlogPerTask }: BacklogScalingProps) {
    super(scope, id)
    const target = new ScalableTarget(this, 'Tasks', {
      serviceNamespace: ServiceNamespace.ECS,
      resourceId: `service/${service.cluster.clusterName}/${service.serviceName}`,
      scalableDimension: 'ecs:service:DesiredCount',
      minCapacity: tasks.min,
      maxCapacity: tasks.max,
    })
    new CfnScalingPolicy(this, 'Policy', {
      // Unique among the policies of its target only: no name that others could collide with.
      policyName: 'backlog-per-task',
      policyType: 'TargetTrackingScaling',
      scalingTargetId: target.scalableTargetId,
      targetTrackingScalingPolicyConfiguration: {
        targetValue: backlogPerTask,
        scaleInCooldown: COOLDOWN.in,
        scaleOutCooldown: COOLDOWN.out,
        customizedMetricSpecification: {
          metrics: [
            metric('waiting', 'AWS/SQS', 'ApproximateNumberOfMessagesVisible', 'Sum', { QueueName: queue.queueName }),
            metric('tasks', 'ECS/ContainerInsights', 'RunningTaskCount', 'Average', {
              ClusterName: service.cluster.clusterName,
              ServiceName: service.serviceName,
            }),
            { id: 'backlog', expression: 'waiting / tasks', returnData: true },
          ],
        },
      },
    })
  }
}

function metric(
  id: string,
  namespace: string,
  metricName: string,
  stat: string,
  dimensions: Readonly<Record<string, string>>,
): CfnScalingPolicy.TargetTrackingMetricDataQueryProperty {
  const named = Object.entries(dimensions).map(([name, value]) => ({ name, value }))
  return { id, returnData: false, metricStat: { stat, metric: { namespace, metricName, dimensions: named } } }
}
