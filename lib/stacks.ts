// All stacks of one stage, in the order of their lives: network, data, monitoring, pipeline. They meet in the objects that
// are handed on here, never by names.
import { type App, Tags } from 'aws-cdk-lib'
import { DataStack } from './data-stack.ts'
import type { DeploymentSettings } from './deployment-settings.ts'
import { MonitoringStack } from './monitoring-stack.ts'
import { type StackPart, stackName } from './names.ts'
import { NetworkStack } from './network-stack.ts'
import { PipelineStack } from './pipeline-stack.ts'

export type Stacks = Readonly<{
  network: NetworkStack
  data: DataStack
  monitoring: MonitoringStack
  pipeline: PipelineStack
}>

export function createStacks(app: App, settings: DeploymentSettings): Stacks {
  const { stage, account, region, tags } = settings
  const env = { region, ...(account !== undefined && { account }) }
  const common = (part: StackPart) => ({ settings, env, stackName: stackName(stage, part) })

  const network = new NetworkStack(app, 'Network', {
    ...common('network'),
    description: 'Elemta: network and public addresses',
  })
  const data = new DataStack(app, 'Data', { ...common('data'), description: 'Elemta: mail, records, jobs and secrets' })
  const { storage, secrets } = data
  const monitoring = new MonitoringStack(app, 'Monitoring', {
    ...common('monitoring'),
    description: 'Elemta: metrics, rules, alerts and dashboards',
    storage,
    secrets,
  })
  const pipeline = new PipelineStack(app, 'Pipeline', {
    ...common('pipeline'),
    description: 'Elemta: SMTP servers, scanners and delivery',
    vpc: network.vpc,
    ingressAddresses: network.ingressAddresses.allocationIds,
    storage,
    secrets,
    metrics: monitoring.metrics,
    alarms: monitoring.alarms,
  })
  for (const [key, value] of Object.entries({ 'elemta:stage': stage, ...tags })) Tags.of(app).add(key, value)
  return { network, data, monitoring, pipeline }
}
