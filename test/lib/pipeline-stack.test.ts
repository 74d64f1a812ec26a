// What mail goes through: ports, who may connect to whom, draining, scaling.
import { describe, expect, test, vi } from 'vitest'
import { parse } from 'yaml'
import { JOB_QUEUE } from '../../src/storage/aws-schema.ts'
import { containersOf, environmentOf, synthesize } from './synth.ts'

// Making a template takes a second on a machine with nothing else to do.
vi.setConfig({ testTimeout: 120_000 })

const full = synthesize({
  tls: 'secret',
  submission: { enabled: true },
  routes: [
    { domains: ['dev.example.com'], to: 'smtp://mail.example.com:2525', tls: 'encrypt', auth: true },
    { domains: ['*'], to: 'mx:' },
  ],
  delivery: { runsOn: 'fargate' },
})
const small = synthesize({ delivery: { runsOn: 'lambda', concurrency: 7 }, cache: 'none', scan: { spot: false } })

/** `from group: ports` of every rule between groups, and `world: ports`. */
function rules(made: typeof full, type: 'Ingress' | 'Egress'): string[] {
  const apart = Object.values(made.resources('pipeline', `AWS::EC2::SecurityGroup${type}`)).map(({ Properties }) => {
    return `${JSON.stringify(Properties.GroupId).replace(/.*GetAtt":\["(\w+?)[0-9A-F]{8}".*/, '$1')} ${Properties.FromPort}`
  })
  const within = Object.entries(made.resources('pipeline', 'AWS::EC2::SecurityGroup')).flatMap(([id, { Properties }]) =>
    (Properties[`SecurityGroup${type}`] ?? []).map(
      ({ CidrIp, IpProtocol, FromPort }: Record<string, string>) =>
        `${id.slice(0, -8)} ${CidrIp} ${IpProtocol} ${FromPort}`,
    ),
  )
  return [...apart, ...within].toSorted()
}

describe('SMTP ingress', () => {
  test('ports 25, 587 and 465 lead to ports that need no privileges, with the client’s address', () => {
    const listeners = Object.values(full.resources('pipeline', 'AWS::ElasticLoadBalancingV2::Listener'))
    expect(listeners.map(({ Properties }) => [Properties.Port, Properties.Protocol])).toEqual([
      [25, 'TCP'],
      [587, 'TCP'],
      [465, 'TCP'],
    ])
    const groups = Object.values(full.resources('pipeline', 'AWS::ElasticLoadBalancingV2::TargetGroup'))
    expect(groups.map(({ Properties }) => Properties.Port)).toEqual([2525, 2587, 2465])
    for (const { Properties } of groups) {
      expect(Properties).toMatchObject({
        Protocol: 'TCP',
        TargetType: 'ip',
        HealthCheckProtocol: 'HTTP',
        HealthCheckPort: '8080',
        HealthCheckPath: '/healthz',
      })
      expect(attributesOf(Properties.TargetGroupAttributes)).toMatchObject({
        'preserve_client_ip.enabled': 'true',
        'proxy_protocol_v2.enabled': 'false',
      })
    }
  })

  test('without submission only port 25 is open', () => {
    const listeners = Object.values(small.resources('pipeline', 'AWS::ElasticLoadBalancingV2::Listener'))
    expect(listeners.map(({ Properties }) => Properties.Port)).toEqual([25])
    expect(rules(small, 'Ingress').filter(rule => rule.includes('0.0.0.0/0'))).toEqual([
      'IngressPublicGroup 0.0.0.0/0 tcp 25',
    ])
  })

  test('the world reaches the load balancer, the load balancer the tasks, and nothing else anything', () => {
    expect(rules(full, 'Ingress')).toEqual([
      'IngressPublicGroup 0.0.0.0/0 tcp 25',
      'IngressPublicGroup 0.0.0.0/0 tcp 465',
      'IngressPublicGroup 0.0.0.0/0 tcp 587',
      'IngressTaskGroup 2465',
      'IngressTaskGroup 2525',
      'IngressTaskGroup 2587',
      'IngressTaskGroup 8080',
      'ValkeyGroup 6379',
    ])
  })

  test('only delivery speaks SMTP to the world, on the ports of the routes', () => {
    const leaving = rules(full, 'Egress').filter(rule => rule.includes('0.0.0.0/0'))
    expect(leaving.filter(rule => rule.startsWith('Delivery'))).toEqual([
      'DeliveryTaskGroup 0.0.0.0/0 tcp 25',
      'DeliveryTaskGroup 0.0.0.0/0 tcp 2525',
      'DeliveryTaskGroup 0.0.0.0/0 tcp 443',
    ])
    const others = leaving.filter(rule => !rule.startsWith('Delivery')).map(rule => rule.split(' ').slice(2).join(' '))
    expect(new Set(others)).toEqual(new Set(['tcp 443', 'tcp 53', 'udp 53']))
  })

  test('the load balancer has our addresses, and lets a slow client think longer than the gateway does', () => {
    const { Properties } = full.one('pipeline', 'AWS::ElasticLoadBalancingV2::LoadBalancer')
    expect(Properties).toMatchObject({ Type: 'network', Scheme: 'internet-facing' })
    expect(JSON.stringify(Properties.SubnetMappings)).toMatch(/AllocationId.*AllocationId/)
    expect(Properties.Subnets).toBeUndefined()
    for (const { Properties } of Object.values(full.resources('pipeline', 'AWS::ElasticLoadBalancingV2::Listener'))) {
      expect(Number(attributesOf(Properties.ListenerAttributes)['tcp.idle_timeout.seconds'])).toBeGreaterThan(600)
    }
  })

  test('sessions are not cut when a task is replaced or unwell', () => {
    for (const { Properties } of Object.values(
      full.resources('pipeline', 'AWS::ElasticLoadBalancingV2::TargetGroup'),
    )) {
      expect(attributesOf(Properties.TargetGroupAttributes)).toMatchObject({
        'deregistration_delay.timeout_seconds': '120',
        'deregistration_delay.connection_termination.enabled': 'false',
        'target_health_state.unhealthy.connection_termination.enabled': 'false',
      })
    }
    expect(containersOf(full, 'IngressTask').gateway?.StopTimeout).toBe(120)
  })
})

test('a version that does not come up is taken back, and never costs a running task', () => {
  const services = Object.values(full.resources('pipeline', 'AWS::ECS::Service'))
  expect(services).toHaveLength(3)
  for (const { Properties } of services) {
    expect(Properties.DeploymentConfiguration).toMatchObject({
      DeploymentCircuitBreaker: { Enable: true, Rollback: true },
      MinimumHealthyPercent: 100,
      MaximumPercent: 200,
    })
  }
})

test('tasks are ARM64, log, and write to nothing but their volumes', () => {
  for (const { Properties } of Object.values(full.resources('pipeline', 'AWS::ECS::TaskDefinition'))) {
    expect(Properties.RuntimePlatform).toEqual({ CpuArchitecture: 'ARM64', OperatingSystemFamily: 'LINUX' })
    for (const { Name, ReadonlyRootFilesystem, LogConfiguration, Privileged } of Properties.ContainerDefinitions) {
      expect([Name, ReadonlyRootFilesystem, LogConfiguration.LogDriver, Privileged]).toEqual([
        Name,
        true,
        'awslogs',
        undefined,
      ])
    }
  }
})

describe('configuration', () => {
  test('each role gets the names of what mail is kept in, and no secret in its text', () => {
    for (const task of ['IngressTask', 'ScannersTask', 'DeliveryTask']) {
      const { gateway } = containersOf(full, task)
      const environment = environmentOf(gateway!)
      for (const name of ['BUCKET', 'RECORDS_TABLE', 'POLICY_TABLE', 'SCAN_QUEUE', 'DELIVERY_QUEUE']) {
        expect(JSON.stringify(environment[`ELEMTA_${name}`])).toMatch(/elemta-dev-data:/)
      }
      expect(parse(String(environment.ELEMTA_CONFIG_YAML)).storage.aws).toMatchObject({
        bucket: expect.stringContaining('{ELEMTA_BUCKET}'),
        region: 'eu-central-1',
      })
    }
  })

  test('a role is told its own secrets only', () => {
    const told = (task: string) =>
      (containersOf(full, task).gateway?.Secrets ?? []).map(({ Name }: { Name: string }) => Name)
    expect(told('IngressTask')).toEqual(['ELEMTA_CERTIFICATE_PEM', 'ELEMTA_CERTIFICATE_KEY_PEM', 'ELEMTA_USERS'])
    expect(told('ScannersTask')).toEqual(['ELEMTA_RELEASE_KEY'])
    expect(told('DeliveryTask')).toEqual(['ELEMTA_NEXT_HOP_USER', 'ELEMTA_NEXT_HOP_PASSWORD'])
    const auth = (task: string) =>
      parse(String(environmentOf(containersOf(full, task).gateway!).ELEMTA_CONFIG_YAML)).routes[0].auth
    expect(auth('IngressTask')).toBeUndefined()
    expect(auth('DeliveryTask').password).toContain('{ELEMTA_NEXT_HOP_PASSWORD}')
  })

  test('scanners are never children of the worker', () => {
    const { plugins } = parse(String(environmentOf(containersOf(full, 'ScannersTask').gateway!).ELEMTA_CONFIG_YAML))
    expect(plugins).toEqual([
      { name: 'clamav', config: { managed: false } },
      { name: 'rspamd', config: { managed: false } },
    ])
  })
})

describe('functions', () => {
  const functions = Object.entries(small.resources('pipeline', 'AWS::Lambda::Function'))

  test('run Node 24 on ARM64 with logs that end', () => {
    expect(functions.map(([id]) => id.slice(0, -8)).toSorted()).toEqual([
      'DeliveryFunction',
      'SweepersPublishQueueMetrics',
      'SweepersSweepDeferred',
      'SweepersSweepOrphans',
    ])
    for (const [, { Properties }] of functions) {
      expect(Properties).toMatchObject({
        Runtime: 'nodejs24.x',
        Architectures: ['arm64'],
        LoggingConfig: { LogGroup: expect.anything() },
      })
    }
  })

  test('delivery answers with the jobs that failed, in no longer than the queue hides a message', () => {
    expect(small.one('pipeline', 'AWS::Lambda::EventSourceMapping').Properties).toMatchObject({
      BatchSize: 10,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      ScalingConfig: { MaximumConcurrency: 7 },
    })
    const { Properties } = small.one('pipeline', 'AWS::Lambda::Function', 'DeliveryFunction')
    expect(Properties.Timeout).toBeLessThanOrEqual(JOB_QUEUE.visibilityTimeout)
    expect(JSON.stringify(Properties.VpcConfig.SubnetIds)).toMatch(/privateSubnet1.*privateSubnet2/)
  })

  test('sweeps run on their schedules', () => {
    const rates = Object.entries(small.resources('pipeline', 'AWS::Events::Rule', 'Sweepers')).map(
      ([id, { Properties }]) => `${id.slice(8, -8)} ${Properties.ScheduleExpression}`,
    )
    expect(rates).toEqual([
      'SweepDeferredSchedule rate(1 minute)',
      'SweepOrphansSchedule rate(10 minutes)',
      'PublishQueueMetricsSchedule rate(1 minute)',
    ])
  })
})

function attributesOf(list: readonly { Key: string; Value: string }[]): Record<string, string> {
  return Object.fromEntries(list.map(({ Key, Value }) => [Key, Value]))
}
