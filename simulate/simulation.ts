// One simulation: a stage on AWS, its tasks and services, and mail at a rate for a while of virtual time. Everything that
// is counted is counted over that while. The same options give the same result.
import { PER_MESSAGE } from '../lib/cost/load.ts'
import type { DeploymentSettings } from '../lib/deployment-settings.ts'
import { createClock } from './clock.ts'
import { createDynamoDb } from './dynamodb.ts'
import type { Steps } from './dynamodb-steps.ts'
import { gatewayTimes } from './gateway-times.ts'
import { createHistogram, type Histogram } from './histogram.ts'
import { startIngress } from './ingress.ts'
import { countOf, type Usage } from './meter.ts'
import { createChance } from './random.ts'
import { createS3 } from './s3.ts'
import { type Latencies, PROCESSOR_TIME, type Quotas } from './services.ts'
import { type TaskCounts, tasksFor } from './sizing.ts'
import { createQueue } from './sqs.ts'
import { startTasks } from './tasks.ts'
import { createCensus, type Message, type Place, type World } from './world.ts'

export type SimulationOptions = Readonly<{
  settings: DeploymentSettings
  /** What the gateway's own adapters ask of DynamoDB. */
  steps: Steps
  /** Messages a second. */
  rate: number
  /** Seconds. */
  duration: number
  /** `needed`: as many tasks as the rate needs. `settings`: from the stage's least, as scaling and quotas allow. */
  tasks: 'needed' | 'settings'
  quotas: Quotas
  latencies: Latencies
  /** Octets of a message. */
  size: number
  /** Share of delivery attempts that the next hop defers. */
  deferred: number
  /** As if keys of indexes had so many times their shards, and contents so many prefixes. */
  spread: number
  seed: number
}>

export type Result = Readonly<{
  rate: number
  /** Seconds. */
  duration: number
  tasks: TaskCounts
  offered: number
  /** Messages whose client heard 451. */
  refused: Readonly<{ service: number; pressure: number }>
  accepted: number
  places: Readonly<Record<Place, number>>
  /** Deferred mail that was due and is not on its queue. */
  overdue: number
  /** Milliseconds: from the client's final dot to our 250, and to the next hop's. */
  accept: Readonly<{ p50: number; p99: number }>
  deliver: Readonly<{ p50: number; p99: number }>
  /** For each message that was offered. */
  requests: Readonly<{ s3: number; sqs: number; dynamodb: number }>
  /** Entries in a request to SQS that may hold several. */
  batch: number
  throttled: Readonly<{ s3: number; sqs: number; dynamodb: number; conflicts: number }>
  utilisation: TaskCounts
  vcpus: number
  /** The busiest first, by the share of its quota. */
  usages: readonly Usage[]
  events: number
}>

/** What processor times are for. */
const MEASURED_SIZE = 75_000

export async function simulate(options: SimulationOptions): Promise<Result> {
  const { rate, duration, settings } = options
  const world = worldOf(options)
  const { clock, census, accepting, delivering } = world
  const tasks = startTasks(world, tasksFor(rate, settings, world), options.tasks === 'settings')
  const ingress = startIngress(world, rate, tasks.ingress)
  await clock.runUntil(duration * 1000)

  const both = (of: Histogram) => ({ p50: of.quantile(0.5), p99: of.quantile(0.99) })
  return {
    rate,
    duration,
    tasks: tasks.counts(),
    vcpus: tasks.vcpus(),
    utilisation: tasks.utilisation(),
    offered: ingress.offered(),
    refused: ingress.refused(),
    accepted: census.accepted(),
    places: { ...census.counts },
    overdue: tasks.overdue(),
    accept: both(accepting),
    deliver: both(delivering),
    ...requestsOf(world, Math.max(1, ingress.offered())),
    usages: usagesOf(world, tasks.usages(), duration * 1000),
    events: clock.events(),
  }
}

/** What was asked of the services, for each of so many messages. */
function requestsOf(
  { s3, dynamodb, scans, deliveries }: World,
  messages: number,
): Pick<Result, 'requests' | 'batch' | 'throttled'> {
  const [one, other] = [scans.requests(), deliveries.requests()]
  const { throttled, conflicts } = dynamodb.refused()
  return {
    requests: {
      s3: s3.requests() / messages,
      sqs: (one.all + other.all) / messages,
      dynamodb: dynamodb.requests() / messages,
    },
    batch: (one.entries + other.entries) / Math.max(1, one.batches + other.batches),
    throttled: { s3: s3.refused(), sqs: scans.refused() + deliveries.refused(), dynamodb: throttled, conflicts },
  }
}

function worldOf({ settings, steps, quotas, latencies, size, deferred, spread, seed }: SimulationOptions): World {
  const clock = createClock()
  const chance = createChance(seed)
  const services = { clock, chance, quotas, latencies, spread }
  const times = size / MEASURED_SIZE
  return {
    ...{ clock, chance, quotas, latencies, settings, steps, deferred },
    gateway: gatewayTimes(settings),
    dynamodb: createDynamoDb({ ...services, steps }),
    s3: createS3(services),
    scans: createQueue<Message>(services),
    deliveries: createQueue<Message>(services),
    nextHops: { now: 0, most: 0 },
    census: createCensus(),
    accepting: createHistogram(),
    delivering: createHistogram(),
    processorTime: {
      ingress: PROCESSOR_TIME.ingress,
      scan: 1000 * PER_MESSAGE.scanSeconds * times,
      delivery: PROCESSOR_TIME.delivery,
    },
  }
}

/** The busiest first. */
function usagesOf(world: World, more: readonly Usage[], milliseconds: number): Usage[] {
  const { dynamodb, s3, scans, deliveries, nextHops, quotas, settings } = world
  const { egress, natGateways } = settings.network
  const nat =
    egress === 'nat'
      ? [countOf('NAT to one next hop', 'connections', quotas.natConnections * natGateways, nextHops.most)]
      : []
  return [
    ...dynamodb.usages(milliseconds),
    ...s3.usages(milliseconds),
    scans.usage('SQS scan, in flight'),
    deliveries.usage('SQS delivery, in flight'),
    ...nat,
    ...more,
  ].toSorted((a, b) => b.used / b.quota - a.used / a.quota)
}
