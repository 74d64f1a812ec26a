// What mail goes through: SMTP servers, scanners, delivery, and the functions that sweep behind them. Nothing in it is
// kept: it can be destroyed and made again while mail waits in the data stack.
import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib'
import type { IVpc } from 'aws-cdk-lib/aws-ec2'
import { Cluster, ContainerInsights, type ICluster } from 'aws-cdk-lib/aws-ecs'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import type { Construct } from 'constructs'
import { type AlarmTopics, watchFunctions, watchLoadBalancer } from './constructs/cloudwatch-alarms.ts'
import type { MetricsTarget } from './constructs/collector.ts'
import { DeliveryLambda } from './constructs/delivery-lambda.ts'
import { DeliveryService } from './constructs/delivery-service.ts'
import { ScannerService } from './constructs/scanner-service.ts'
import type { Secrets } from './constructs/secrets.ts'
import { containerSecrets } from './constructs/service-secrets.ts'
import { SignatureMirror } from './constructs/signature-mirror.ts'
import { SmtpIngress } from './constructs/smtp-ingress.ts'
import { Sweepers } from './constructs/sweepers.ts'
import { Valkey } from './constructs/valkey.ts'
import type { Storage } from './data-stack.ts'
import type { DeploymentSettings } from './deployment-settings.ts'

export type PipelineStackProps = StackProps &
  Readonly<{
    settings: DeploymentSettings
    vpc: IVpc
    /** Allocation ids of the addresses that clients connect to. */
    ingressAddresses: readonly string[]
    storage: Storage
    secrets: Secrets
    metrics: MetricsTarget
    alarms: AlarmTopics
  }>

export class PipelineStack extends Stack {
  readonly ingress: SmtpIngress

  constructor(scope: Construct, id: string, props: PipelineStackProps) {
    const { settings, vpc, ingressAddresses, storage, secrets, metrics, alarms, ...stackProps } = props
    super(scope, id, stackProps)
    // Backlog per task counts running tasks by Container Insights.
    const made = new Cluster(this, 'Cluster', {
      vpc,
      containerInsightsV2: ContainerInsights.ENABLED,
      enableFargateCapacityProviders: true,
    })
    const cluster = made as ICluster
    const parts = { settings, vpc, cluster, storage, metrics, secrets }

    this.ingress = new SmtpIngress(this, 'Ingress', {
      ...parts,
      allocationIds: ingressAddresses,
      secrets: containerSecrets('ingress', secrets),
    })
    const valkey = settings.cache === 'valkey' ? new Valkey(this, 'Valkey', { vpc }) : undefined
    new ScannerService(this, 'Scanners', { ...parts, valkey })
    new SignatureMirror(this, 'Signatures', parts)
    const functions: Record<string, IFunction> = {}
    if (settings.delivery.runsOn === 'lambda') {
      functions.Deliver = new DeliveryLambda(this, 'Delivery', parts).function as IFunction
    } else if (settings.delivery.runsOn === 'fargate') new DeliveryService(this, 'Delivery', parts)
    for (const made of new Sweepers(this, 'Sweepers', parts).functions) functions[made.node.id] = made as IFunction
    watchLoadBalancer(this, alarms, this.ingress.targetGroups)
    watchFunctions(this, alarms, functions)
    this.tellNext(settings)
  }

  private tellNext({ stage, hostname, domains }: DeploymentSettings): void {
    new CfnOutput(this, 'TryIt', {
      description: 'A first message, from anywhere',
      value: `swaks --server ${hostname} --to postmaster@${domains[0]} --from you@example.org`,
    })
    new CfnOutput(this, 'Operate', {
      description: 'With your own credentials',
      value: `npx elemta queue --home aws --stage ${stage}`,
    })
  }
}
