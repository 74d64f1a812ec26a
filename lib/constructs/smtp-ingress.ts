// The SMTP servers that the world talks to. A network load balancer hands connections through as they are (TLS is ours) and
// keeps the client's address, which IP targets lose unless told so. Its listeners open no security group: both sides are
// wired here by hand. A task that is being replaced takes no new sessions and ends those it has; senders try again elsewhere.
import { Duration } from 'aws-cdk-lib'
import { type IVpc, Peer, Port, SecurityGroup, SubnetType } from 'aws-cdk-lib/aws-ec2'
import { FargateService, type ICluster, type Secret } from 'aws-cdk-lib/aws-ecs'
import { NetworkLoadBalancer, type NetworkTargetGroup, Protocol } from 'aws-cdk-lib/aws-elasticloadbalancingv2'
import { Construct } from 'constructs'
import { PORTS } from '../gateway-config.ts'
import { INGRESS_CPU } from '../scaling-targets.ts'
import { acknowledge } from './acknowledge.ts'
import { DEPLOYMENT } from './deployment.ts'
import { allowEgress } from './egress.ts'
import { GatewayTask, type PipelineParts } from './gateway-task.ts'
import { addResolver } from './resolver.ts'

/** Outside to inside. */
const LISTENERS = {
  Mx: [25, PORTS.mx],
  Submission: [587, PORTS.submission],
  Submissions: [465, PORTS.submissions],
} as const
/** More than the 5 minutes that we give a client for a command, and for the end of a message (RFC 5321 §4.5.3.2). */
const IDLE_TIMEOUT = Duration.seconds(660)

export type SmtpIngressProps = PipelineParts &
  Readonly<{
    vpc: IVpc
    cluster: ICluster
    /** Allocation ids of the load balancer's addresses, one for each zone. */
    allocationIds: readonly string[]
    secrets: Record<string, Secret>
  }>

export class SmtpIngress extends Construct {
  readonly loadBalancer: NetworkLoadBalancer
  readonly service: FargateService
  readonly targetGroups: readonly NetworkTargetGroup[]

  constructor(scope: Construct, id: string, props: SmtpIngressProps) {
    super(scope, id)
    const { vpc, cluster, allocationIds, secrets, settings } = props
    const { ingress, network, submission } = settings
    const task = new GatewayTask(this, 'Task', {
      ...props,
      role: 'ingress',
      entry: 'smtp-ingress',
      size: ingress,
      secrets,
    })
    if (network.egress === 'nat') addResolver(task, settings)

    const taskGroup = new SecurityGroup(this, 'TaskGroup', { vpc, allowAllOutbound: false })
    allowEgress(taskGroup, { dns: network.egress === 'nat' })
    this.service = new FargateService(this, 'Service', {
      ...DEPLOYMENT,
      cluster,
      taskDefinition: task.definition,
      securityGroups: [taskGroup],
      vpcSubnets: { subnetGroupName: 'private' },
      healthCheckGracePeriod: Duration.seconds(90),
    })
    const scaling = this.service.autoScaleTaskCount({ minCapacity: ingress.min, maxCapacity: ingress.max })
    scaling.scaleOnCpuUtilization('Cpu', { targetUtilizationPercent: INGRESS_CPU })

    const publicGroup = new SecurityGroup(this, 'PublicGroup', { vpc, allowAllOutbound: false })
    this.loadBalancer = new NetworkLoadBalancer(this, 'LoadBalancer', {
      vpc,
      internetFacing: true,
      crossZoneEnabled: true,
      securityGroups: [publicGroup],
      subnetMappings: vpc
        .selectSubnets({ subnetType: SubnetType.PUBLIC })
        .subnets.map((subnet, n) => ({ subnet, allocationId: allocationIds[n] ?? '' })),
    })
    taskGroup.connections.allowFrom(publicGroup, Port.tcp(PORTS.ops), 'Health of the targets')

    const used = submission.enabled ? Object.entries(LISTENERS) : [['Mx', LISTENERS.Mx] as const]
    this.targetGroups = used.map(([name, [outside, inside]]) => {
      task.container.addPortMappings({ containerPort: inside })
      publicGroup.addIngressRule(Peer.anyIpv4(), Port.tcp(outside), `Mail servers and programs: ${name}`)
      taskGroup.connections.allowFrom(publicGroup, Port.tcp(inside), `Sessions: ${name}`)
      return this.listen(name, outside, inside)
    })
    acknowledge(publicGroup, { EC23: 'Anyone may send mail to us: these are the ports for it' })
    acknowledge(this.loadBalancer, {
      ELB2: 'A network load balancer logs TLS listeners only; sessions are in the gateway’s log',
    })
  }

  private listen(name: string, outside: number, inside: number): NetworkTargetGroup {
    const listener = this.loadBalancer.addListener(name, {
      port: outside,
      protocol: Protocol.TCP,
      tcpIdleTimeout: IDLE_TIMEOUT,
    })
    const targets = listener.addTargets(name, {
      port: inside,
      protocol: Protocol.TCP,
      targets: [this.service.loadBalancerTarget({ containerName: 'gateway', containerPort: inside })],
      preserveClientIp: true,
      proxyProtocolV2: false,
      deregistrationDelay: Duration.seconds(120),
      healthCheck: {
        protocol: Protocol.HTTP,
        port: String(PORTS.ops),
        path: '/healthz',
        interval: Duration.seconds(10),
        healthyThresholdCount: 2,
        unhealthyThresholdCount: 2,
      },
    })
    // A target that is not well gets no new sessions; those that it has are not cut.
    targets.setAttribute('target_health_state.unhealthy.connection_termination.enabled', 'false')
    targets.setAttribute('target_health_state.unhealthy.draining_interval_seconds', '120')
    targets.setAttribute('deregistration_delay.connection_termination.enabled', 'false')
    return targets
  }
}
