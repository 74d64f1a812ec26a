// unbound beside who asks DNS lists: those refuse the resolvers of large networks, so each task recurses by itself. Where
// tasks do not reach the internet it forwards to the network's resolver instead.
import { Duration } from 'aws-cdk-lib'
import type { ContainerDefinition } from 'aws-cdk-lib/aws-ecs'
import type { DeploymentSettings } from '../deployment-settings.ts'
import { PORTS } from '../gateway-config.ts'
import type { GatewayTask } from './gateway-task.ts'
import { ownImage } from './images.ts'

/** On 127.0.0.1:PORTS.dns of the task. */
export function addResolver(task: GatewayTask, { network }: Pick<DeploymentSettings, 'network'>): ContainerDefinition {
  const resolver = task.definition.addContainer('unbound', {
    image: ownImage('unbound'),
    environment: {
      UNBOUND_PORT: String(PORTS.dns),
      // 169.254.169.253: Amazon's resolver, the same address in every network.
      ...(network.egress === 'endpoints' && { UNBOUND_FORWARD_TO: '169.254.169.253' }),
    },
    logging: task.logTo('unbound'),
    readonlyRootFilesystem: true,
    memoryReservationMiB: 64,
    healthCheck: {
      command: ['CMD', 'elemta-unbound-check'],
      interval: Duration.seconds(15),
      startPeriod: Duration.seconds(15),
    },
  })
  resolver.addMountPoints({ sourceVolume: 'tmp', containerPath: '/tmp', readOnly: false })
  return resolver
}
