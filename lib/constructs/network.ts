// Where the tasks of a stage live: public subnets for the load balancer and NAT, private ones for everything else.
// S3 and DynamoDB are reached by gateway endpoints, which cost nothing and keep stored mail off the NAT gateway, where a
// million messages of 75 KB would cost $7. What else leaves goes by NAT, or, with egress `endpoints`, nowhere but to AWS.
import {
  FlowLogDestination,
  GatewayVpcEndpointAwsService,
  InterfaceVpcEndpointAwsService,
  IpAddresses,
  type IVpc,
  NatProvider,
  Peer,
  Port,
  SecurityGroup,
  SubnetType,
  Vpc,
} from 'aws-cdk-lib/aws-ec2'
import { Construct } from 'constructs'
import type { DeploymentSettings } from '../deployment-settings.ts'
import { acknowledge } from './acknowledge.ts'
import { ElasticAddresses } from './elastic-addresses.ts'
import { logGroup } from './log-group.ts'

/** What tasks ask besides S3 and DynamoDB; without NAT there is no other way to it. */
const ENDPOINTS = {
  Sqs: InterfaceVpcEndpointAwsService.SQS,
  EcrApi: InterfaceVpcEndpointAwsService.ECR,
  EcrDocker: InterfaceVpcEndpointAwsService.ECR_DOCKER,
  Logs: InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
  SecretsManager: InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
  Prometheus: InterfaceVpcEndpointAwsService.PROMETHEUS_WORKSPACES,
  Sts: InterfaceVpcEndpointAwsService.STS,
} as const

export type NetworkProps = Readonly<{ settings: Pick<DeploymentSettings, 'network' | 'region' | 'data' | 'logDays'> }>

export class Network extends Construct {
  readonly vpc: Vpc
  /** From which the stage speaks to others; none without NAT. */
  readonly natAddresses: readonly string[]

  constructor(scope: Construct, id: string, { settings }: NetworkProps) {
    super(scope, id)
    const { network, region, data, logDays } = settings
    const nat = network.egress === 'nat'
    const addresses =
      nat && new ElasticAddresses(this, 'NatAddress', { count: network.natGateways, retain: data.retain })
    this.natAddresses = addresses ? addresses.addresses : []
    this.vpc = new Vpc(this, 'Vpc', {
      ipAddresses: IpAddresses.cidr(network.cidr),
      // By name: a look-up would need credentials at synth, and could change with the account.
      availabilityZones: network.zones.map(zone => `${region}${zone}`),
      natGateways: nat ? network.natGateways : 0,
      ...(addresses && { natGatewayProvider: NatProvider.gateway({ eipAllocationIds: [...addresses.allocationIds] }) }),
      subnetConfiguration: [
        { name: 'public', subnetType: SubnetType.PUBLIC, mapPublicIpOnLaunch: false },
        { name: 'private', subnetType: nat ? SubnetType.PRIVATE_WITH_EGRESS : SubnetType.PRIVATE_ISOLATED },
      ],
      gatewayEndpoints: {
        S3: { service: GatewayVpcEndpointAwsService.S3 },
        DynamoDb: { service: GatewayVpcEndpointAwsService.DYNAMODB },
      },
      // Its rules are never used; taking them away would need a function that may change security groups.
      restrictDefaultSecurityGroup: false,
    })
    if (!nat) this.addEndpoints(network.cidr)
    if (network.flowLogs) {
      const destination = FlowLogDestination.toCloudWatchLogs(logGroup(this, 'FlowLogs', logDays))
      this.vpc.addFlowLog('Flows', { destination })
    } else {
      acknowledge(this.vpc, {
        VPC7: 'Connections of clients are in the gateway’s own log; network.flowLogs adds the rest',
      })
    }
  }

  /** One door for all of them, which whatever is in the network may use. */
  private addEndpoints(cidr: string): void {
    const group = new SecurityGroup(this, 'EndpointGroup', { vpc: this.vpc as IVpc, allowAllOutbound: false })
    group.addIngressRule(Peer.ipv4(cidr), Port.tcp(443), 'Everything in the network')
    for (const [name, service] of Object.entries(ENDPOINTS)) {
      this.vpc.addInterfaceEndpoint(name, { service, open: false, securityGroups: [group] })
    }
  }
}
