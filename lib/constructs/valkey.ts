// Where all rspamds of a stage keep what they have learned: Bayes, fuzzy hashes, ratelimits. One small node in the private
// network, which only scanners reach. It is not backed up: what is lost is learned again.

import { type IVpc, Port, SecurityGroup } from 'aws-cdk-lib/aws-ec2'
import { CfnReplicationGroup, CfnSubnetGroup } from 'aws-cdk-lib/aws-elasticache'
import { Construct } from 'constructs'
import { acknowledge } from './acknowledge.ts'

const PORT = 6379

export type ValkeyProps = Readonly<{ vpc: IVpc }>

export class Valkey extends Construct {
  /** HOST:PORT */
  readonly address: string
  private readonly group: SecurityGroup

  constructor(scope: Construct, id: string, { vpc }: ValkeyProps) {
    super(scope, id)
    this.group = new SecurityGroup(this, 'Group', { vpc, allowAllOutbound: false })
    const subnets = new CfnSubnetGroup(this, 'Subnets', {
      description: 'The private subnets of the stage',
      subnetIds: vpc.selectSubnets({ subnetGroupName: 'private' }).subnetIds,
    })
    const cache = new CfnReplicationGroup(this, 'Cache', {
      replicationGroupDescription: 'What rspamd has learned',
      engine: 'valkey',
      engineVersion: '8.0',
      cacheNodeType: 'cache.t4g.micro',
      numCacheClusters: 1,
      automaticFailoverEnabled: false,
      multiAzEnabled: false,
      port: PORT,
      cacheSubnetGroupName: subnets.ref,
      securityGroupIds: [this.group.securityGroupId],
      atRestEncryptionEnabled: true,
      // rspamd speaks to it without TLS; nothing but scanners can connect.
      transitEncryptionEnabled: false,
      autoMinorVersionUpgrade: true,
      snapshotRetentionLimit: 0,
    })
    this.address = `${cache.attrPrimaryEndPointAddress}:${PORT}`
    acknowledge(cache, {
      AEC3: 'rspamd speaks to it without TLS: its security group lets in scanners alone, and it holds hashes, not mail',
      AEC4: 'One node: what rspamd has learned may be lost and learned again',
      AEC6: 'A password without TLS would protect nothing: the security group does',
      AEC5: 'Only scanners reach it, on whatever port',
    })
  }

  allowFrom(clients: SecurityGroup): void {
    clients.connections.allowTo(this.group, Port.tcp(PORT), 'What rspamd has learned')
  }
}
