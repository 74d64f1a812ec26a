// What changes least: the network and the addresses by which the world knows the stage. Destroying it gives the addresses
// up only where settings.data.retain is false.
import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib'
import type { IVpc } from 'aws-cdk-lib/aws-ec2'
import type { Construct } from 'constructs'
import { ElasticAddresses } from './constructs/elastic-addresses.ts'
import { Network } from './constructs/network.ts'
import type { DeploymentSettings } from './deployment-settings.ts'

export type NetworkStackProps = StackProps & Readonly<{ settings: DeploymentSettings }>

export class NetworkStack extends Stack {
  readonly vpc: IVpc
  /** Of the load balancer, one for each zone. */
  readonly ingressAddresses: ElasticAddresses

  constructor(scope: Construct, id: string, { settings, ...props }: NetworkStackProps) {
    super(scope, id, props)
    const network = new Network(this, 'Network', { settings })
    this.vpc = network.vpc as IVpc
    const { zones } = settings.network
    this.ingressAddresses = new ElasticAddresses(this, 'Ingress', { count: zones.length, retain: settings.data.retain })
    this.tellDns(settings, network.natAddresses)
  }

  /** The steps that no stack can do: other people's DNS, and the block of port 25. */
  private tellDns({ hostname, domains }: DeploymentSettings, natAddresses: readonly string[]): void {
    const { addresses, allocationIds } = this.ingressAddresses
    addresses.forEach((address, n) => {
      new CfnOutput(this, `ARecord${n + 1}`, { value: `${hostname}. 300 IN A ${address}` })
      new CfnOutput(this, `PtrStep${n + 1}`, {
        description: 'Run it once the A record is there',
        value: `aws ec2 modify-address-attribute --region ${this.region} --allocation-id ${allocationIds[n]} --domain-name ${hostname}`,
      })
    })
    new CfnOutput(this, 'MxRecords', {
      description: 'One for each of domains',
      value: domains.map(domain => `${domain}. 3600 IN MX 10 ${hostname}.`).join(' | '),
    })
    if (natAddresses.length === 0) return
    new CfnOutput(this, 'OutboundAddresses', {
      description: 'Next hops see these: put them in their allowlists and in your SPF record',
      value: natAddresses.join(' '),
    })
    new CfnOutput(this, 'Port25Request', {
      description: 'AWS blocks outbound port 25 until it is asked; not needed for next hops on 587 or 465',
      value: `https://console.aws.amazon.com/support/contacts?#/rdns-limits (addresses: ${natAddresses.join(' ')})`,
    })
  }
}
