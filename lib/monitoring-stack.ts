// What watches a stage: the workspace that metrics are written to, its rules and routing, and the topics by which people
// hear of them. Deployed before the pipeline, whose tasks write to the workspace; what watches the pipeline's own
// resources (load balancer, functions) stands in the pipeline stack and tells the same topics.
import { Stack, type StackProps } from 'aws-cdk-lib'
import type { Construct } from 'constructs'
import type { DeploymentSettings } from './deployment-settings.ts'

export type MonitoringStackProps = StackProps & Readonly<{ settings: DeploymentSettings }>

export class MonitoringStack extends Stack {
  constructor(scope: Construct, id: string, { settings: _, ...props }: MonitoringStackProps) {
    super(scope, id, props)
  }
}
