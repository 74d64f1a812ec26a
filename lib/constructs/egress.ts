// Where the tasks of a role may connect to; nothing else leaves them.
import { Peer, Port, type SecurityGroup } from 'aws-cdk-lib/aws-ec2'
import type { DeploymentSettings } from '../deployment-settings.ts'

export type Egress = Readonly<{
  /** Name servers of the whole internet. */
  dns?: boolean
  /** Ports of next hops. */
  mail?: readonly number[]
}>

/** AWS (and policies of mail domains) over HTTPS, and what `egress` says. */
export function allowEgress(group: SecurityGroup, { dns = false, mail = [] }: Egress): void {
  group.addEgressRule(Peer.anyIpv4(), Port.tcp(443), 'AWS, and MTA-STS policies')
  if (dns) {
    group.addEgressRule(Peer.anyIpv4(), Port.udp(53), 'Name servers')
    group.addEgressRule(Peer.anyIpv4(), Port.tcp(53), 'Name servers, long answers')
  }
  for (const port of mail) group.addEgressRule(Peer.anyIpv4(), Port.tcp(port), 'Next hops')
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'smtp:': 25, 'smtps:': 465, 'lmtp:': 24 }

/** The ports that the routes lead to, in order; `mx:` is 25. */
export function nextHopPorts(routes: DeploymentSettings['routes']): readonly number[] {
  const ports = routes.map(({ to }) => {
    if (to === 'mx:') return 25
    const [, scheme = '', port] = /^(\w+:)\/\/.*?(?::(\d+))?\/?$/.exec(to) ?? []
    return port === undefined ? (DEFAULT_PORTS[scheme] ?? 25) : Number(port)
  })
  return [...new Set(ports)].toSorted((one, other) => one - other)
}
