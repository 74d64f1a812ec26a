// One simulation: a stage on AWS, its tasks and services, and mail at a rate for a while of virtual time. Everything that
// is counted is counted over that while. The same options give the same result.
import { PER_MESSAGE } from '../lib/cost/load.ts'
import type { DeploymentSettings } from '../lib/deployment-settings.ts'
import { INGRESS_CPU } from '../lib/scaling-targets.ts'
import { createClock } from './clock.ts'
import { startDeferrals } from './deferred.ts'
import { startDeliveryFunctions } from './delivery-lambda.ts'
import { createDynamoDb } from './dynamodb.ts'
import type { Steps } from './dynamodb-steps.ts'
import { createFargate, createFleet, type Fargate, type Fleet } from './fleet.ts'
import { gatewayTimes } from './gateway-times.ts'
import { createHistogram } from './histogram.ts'
import { type IngressTask, startIngress } from './ingress.ts'
import { countOf, type Usage } from './meter.ts'
import type { Processor } from './processor.ts'
import { createChance } from './random.ts'
import { createS3 } from './s3.ts'
import { type Latencies, PROCESSOR_TIME, type Quotas, START_TIME } from './services.ts'
import { type TaskCounts, tasksFor } from './sizing.ts'
import { createQueue } from './sqs.ts'
import { deliveryJob, scanJob } from './stages.ts'
import { startWorker } from './worker.ts'
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
  const { rate, duration, settings, quotas } = options
  const world = worldOf(options)
  const { clock, census, scans, deliveries, dynamodb, s3, gateway } = world
  const fargate = createFargate(clock, quotas)
  const needed = tasksFor(rate, settings, world)
  const scales = options.tasks === 'settings'
  const counts = scales
    ? { ingress: settings.ingress.min, scan: settings.scan.tasks.min, delivery: settings.delivery.tasks.min }
    : needed
  const { ingressTasks, scanTasks } = startTasks(world, fargate, counts, scales)
  const deferrals = startDeferrals(world)
  const jobFor = (processor: Processor) => deliveryJob(world, processor, deferrals.defer)
  const isLambda = settings.delivery.runsOn === 'lambda'
  const functions = isLambda ? startDeliveryFunctions(world, jobFor, scales ? undefined : needed.delivery) : undefined
  const deliveryTasks = isLambda
    ? undefined
    : createFleet({
        ...fleetParts(world, fargate),
        size: settings.delivery.tasks,
        count: counts.delivery,
        make: processor => startWorker(world, jobFor(processor), deliveries.connect(), gateway.deliveryConcurrency),
        ...(scales && {
          scaling: {
            startTime: START_TIME.delivery,
            load: (tasks: number) => deliveries.visible() / tasks / settings.delivery.backlogPerTask,
          },
        }),
      })
  const ingress = startIngress(world, rate, ingressTasks)
  await clock.runUntil(duration * 1000)

  const offered = Math.max(1, ingress.offered())
  const sqs = [scans.requests(), deliveries.requests()]
  const sum = (of: (one: (typeof sqs)[number]) => number) => sqs.reduce((total, one) => total + of(one), 0)
  const { throttled, conflicts } = dynamodb.refused()
  const vcpus = fargate.vcpus()
  const tasks = {
    ingress: ingressTasks.size(),
    scan: scanTasks.size(),
    delivery: deliveryTasks?.size() ?? functions?.most() ?? 0,
  }
  const { accepting, delivering } = world
  const both = (of: typeof accepting) => ({ p50: of.quantile(0.5), p99: of.quantile(0.99) })
  return {
    rate,
    duration,
    tasks,
    offered: ingress.offered(),
    refused: ingress.refused(),
    accepted: census.accepted(),
    places: { ...census.counts },
    overdue: deferrals.overdue(),
    accept: both(accepting),
    deliver: both(delivering),
    requests: {
      s3: s3.requests() / offered,
      sqs: sum(({ all }) => all) / offered,
      dynamodb: dynamodb.requests() / offered,
    },
    batch:
      sum(({ entries }) => entries) /
      Math.max(
        1,
        sum(({ batches }) => batches),
      ),
    throttled: { s3: s3.refused(), sqs: scans.refused() + deliveries.refused(), dynamodb: throttled, conflicts },
    utilisation: {
      ingress: ingressTasks.utilisation(),
      scan: scanTasks.utilisation(),
      delivery: deliveryTasks?.utilisation() ?? 0,
    },
    usages: usagesOf(
      world,
      [
        ...fargate.usages([tasks.ingress, tasks.scan, ...(isLambda ? [] : [tasks.delivery])]),
        ...(functions?.usages() ?? []),
        countOf('Load balancer', 'targets', quotas.targets, tasks.ingress * (settings.submission.enabled ? 3 : 1)),
      ],
      duration * 1000,
    ),
    vcpus,
    events: clock.events(),
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

const fleetParts = ({ clock, chance }: World, fargate: Fargate) => ({ clock, chance, fargate })

function startTasks(
  world: World,
  fargate: Fargate,
  counts: TaskCounts,
  scales: boolean,
): Readonly<{ ingressTasks: Fleet<IngressTask>; scanTasks: Fleet<void> }> {
  const { settings, scans, deliveries, gateway } = world
  const parts = fleetParts(world, fargate)
  const ingressTasks = createFleet<IngressTask>({
    ...parts,
    size: settings.ingress,
    count: counts.ingress,
    make: processor => ({ processor, scans: scans.connect() }),
    ...(scales && { scaling: { startTime: START_TIME.ingress, load: processorLoad(settings.ingress.cpu / 1024) } }),
  })
  const scanTasks = createFleet<void>({
    ...parts,
    size: settings.scan.tasks,
    count: counts.scan,
    make: processor =>
      startWorker(world, scanJob(world, processor, deliveries.connect()), scans.connect(), gateway.scanConcurrency),
    ...(scales && {
      scaling: {
        startTime: START_TIME.scan,
        load: tasks => scans.visible() / tasks / settings.scan.backlogPerTask,
      },
    }),
  })
  return { ingressTasks, scanTasks }
}

/** Use of the processors in the last minute, divided by the target. */
function processorLoad(vcpus: number): (tasks: number, processors: readonly Processor[]) => number {
  let before = 0
  return (tasks, processors) => {
    const used = processors.reduce((sum, processor) => sum + processor.used(), 0)
    const share = (used - before) / (60_000 * tasks * vcpus)
    before = used
    return share / (INGRESS_CPU / 100)
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
