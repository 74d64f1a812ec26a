// The public addresses of a stage. They stand in MX and PTR records and in other people's allowlists, and AWS lifts its
// block of port 25 for them: so they outlive the stack and everything that uses them.
import { RemovalPolicy, Tags } from 'aws-cdk-lib'
import { CfnEIP } from 'aws-cdk-lib/aws-ec2'
import { Construct } from 'constructs'

export type ElasticAddressesProps = Readonly<{ count: number; retain: boolean }>

export class ElasticAddresses extends Construct {
  readonly allocationIds: readonly string[]
  readonly addresses: readonly string[]

  constructor(scope: Construct, id: string, { count, retain }: ElasticAddressesProps) {
    super(scope, id)
    const made = Array.from({ length: count }, (_, n) => {
      const address = new CfnEIP(this, `Address${n + 1}`, { domain: 'vpc' })
      address.applyRemovalPolicy(retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY)
      Tags.of(address).add('Name', `${this.node.path}/${n + 1}`)
      return address
    })
    this.allocationIds = made.map(address => address.attrAllocationId)
    this.addresses = made.map(address => address.attrPublicIp)
  }
}
