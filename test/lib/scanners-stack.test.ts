// The scanners of a stage: what runs in a task, that it agrees with the gateway's configuration, and how many there are.
import { expect, test, vi } from 'vitest'
import { type Container, containersOf, environmentOf, synthesize } from './synth.ts'

// Making a template takes a second on a machine with nothing else to do.
vi.setConfig({ testTimeout: 120_000 })

const full = synthesize({ delivery: { runsOn: 'fargate' } })
const small = synthesize({ delivery: { runsOn: 'lambda' }, cache: 'none', scan: { spot: false } })

test('a task is a worker with its own clamd, rspamd and resolver', () => {
  const containers = containersOf(full, 'ScannersTask')
  expect(Object.keys(containers).toSorted()).toEqual([
    'clamd',
    'collector',
    'gateway',
    'rspamd',
    'signatures',
    'unbound',
  ])
  expect(containers.gateway?.Command).toEqual(['containers/scan-worker/main.ts'])
  expect(containers.clamd?.MemoryReservation).toBeGreaterThanOrEqual(4096)
  expect(environmentOf(containers.rspamd!)).toMatchObject({ RSPAMD_DNS_SERVERS: '127.0.0.1:5335' })
  expect(JSON.stringify(environmentOf(containers.rspamd!).RSPAMD_REDIS_SERVERS)).toMatch(/PrimaryEndPoint\.Address/)
})

test('scanners look at all that the gateway accepts, and reject from the same score on', () => {
  const told = ({ clamd, rspamd }: Record<string, Container>) => {
    const { CLAMD_STREAM_MAX } = environmentOf(clamd!)
    const { RSPAMD_MAX_MESSAGE, RSPAMD_REJECT_SCORE } = environmentOf(rspamd!)
    return { CLAMD_STREAM_MAX, RSPAMD_MAX_MESSAGE, RSPAMD_REJECT_SCORE }
  }
  const megabytes = (size: number) => String(size * 1024 * 1024)
  expect(told(containersOf(full, 'ScannersTask'))).toEqual({
    CLAMD_STREAM_MAX: megabytes(26),
    RSPAMD_MAX_MESSAGE: megabytes(26),
    RSPAMD_REJECT_SCORE: '15',
  })
  const plugins = [
    { name: 'clamav', config: { stream_max: '70MB' } },
    { name: 'rspamd', config: { reject_score: 12.5 } },
  ]
  const large = synthesize({ gateway: { limits: { message_size: '60MB' }, plugins } })
  expect(told(containersOf(large, 'ScannersTask'))).toEqual({
    CLAMD_STREAM_MAX: megabytes(70),
    RSPAMD_MAX_MESSAGE: megabytes(61),
    RSPAMD_REJECT_SCORE: '12.5',
  })
  const tooLarge = { gateway: { limits: { message_size: '100MB' } } }
  expect(() => synthesize(tooLarge)).toThrow(/^gateway\.limits\.message_size: clamd looks at 100 MB/)
})

test('without a cache rspamd has none', () => {
  expect(environmentOf(containersOf(small, 'ScannersTask').rspamd!)).not.toHaveProperty('RSPAMD_REDIS_SERVERS')
  small.template('pipeline').resourceCountIs('AWS::ElastiCache::ReplicationGroup', 0)
})

test('the first task never is on Spot; without Spot none is', () => {
  const strategy = (made: typeof full) =>
    made.one('pipeline', 'AWS::ECS::Service', 'Scanners').Properties.CapacityProviderStrategy
  expect(strategy(full)).toEqual([
    { CapacityProvider: 'FARGATE', Base: 1, Weight: 0 },
    { CapacityProvider: 'FARGATE_SPOT', Weight: 1 },
  ])
  expect(strategy(small)).toEqual([{ CapacityProvider: 'FARGATE', Weight: 1 }])
})

test('tasks follow the backlog of each, and there is always one to divide by', () => {
  const { TargetTrackingScalingPolicyConfiguration: tracking } = full.one(
    'pipeline',
    'AWS::ApplicationAutoScaling::ScalingPolicy',
    'ScannersScaling',
  ).Properties
  const { Metrics } = tracking.CustomizedMetricSpecification
  expect(tracking.TargetValue).toBe(100)
  expect(Metrics.map(({ MetricStat, Expression }: Container) => MetricStat?.Metric.MetricName ?? Expression)).toEqual([
    'ApproximateNumberOfMessagesVisible',
    'RunningTaskCount',
    'waiting / tasks',
  ])
  expect(Metrics.filter(({ ReturnData }: Container) => ReturnData)).toHaveLength(1)
  for (const { Properties } of Object.values(
    full.resources('pipeline', 'AWS::ApplicationAutoScaling::ScalableTarget'),
  )) {
    expect(Properties.MinCapacity).toBeGreaterThanOrEqual(1)
  }
  expect(full.one('pipeline', 'AWS::ECS::Cluster').Properties.ClusterSettings).toEqual([
    { Name: 'containerInsights', Value: 'enabled' },
  ])
})

test('one task asks ClamAV’s servers, takes what the bucket has first and puts back what is whole', () => {
  const { pull, freshclam, push } = containersOf(full, 'SignaturesDefinition')
  expect(pull?.DependsOn).toBeUndefined()
  expect(freshclam?.DependsOn).toEqual([{ Condition: 'SUCCESS', ContainerName: 'pull' }])
  expect(push?.DependsOn).toEqual([{ Condition: 'SUCCESS', ContainerName: 'freshclam' }])
  expect([pull, freshclam, push].map(container => container?.Essential)).toEqual([false, false, true])
  expect(full.one('pipeline', 'AWS::Events::Rule', 'SignaturesSchedule').Properties.ScheduleExpression).toBe(
    'rate(4 hours)',
  )
})
