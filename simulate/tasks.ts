// The tasks of a stage and what they do: SMTP servers, scanners, and whatever delivers. As many as are needed, or scaled
// from the least by what their settings watch.
import { INGRESS_CPU } from '../lib/scaling-targets.ts'
import { startDeferrals } from './deferred.ts'
import { startDeliveryFunctions } from './delivery-lambda.ts'
import { createFargate, createFleet, type Fargate, type Fleet } from './fleet.ts'
import type { IngressTask } from './ingress.ts'
import { countOf, type Usage } from './meter.ts'
import type { Processor } from './processor.ts'
import { START_TIME } from './services.ts'
import type { TaskCounts } from './sizing.ts'
import type { Queue } from './sqs.ts'
import { deliveryJob, scanJob } from './stages.ts'
import { startWorker } from './worker.ts'
import type { Message, World } from './world.ts'

export type Tasks = Readonly<{
  ingress: Fleet<IngressTask>
  counts(): TaskCounts
  utilisation(): TaskCounts
  vcpus(): number
  /** Deferred mail that was due and is not on its queue. */
  overdue(): number
  usages(): Usage[]
}>

/** What a fleet of workers scales by. */
type Backlog = Readonly<{ startTime: number; queue: Queue<Message>; perTask: number }>

export function startTasks(world: World, needed: TaskCounts, scales: boolean): Tasks {
  const { clock, chance, settings, quotas, gateway, scans, deliveries } = world
  const { submission, delivery, scan } = settings
  const fargate: Fargate = createFargate(clock, quotas)
  const parts = { clock, chance, fargate }
  const byBacklog = ({ startTime, queue, perTask }: Backlog) =>
    scales && { scaling: { startTime, load: (tasks: number) => queue.visible() / tasks / perTask } }

  const ingress = createFleet<IngressTask>({
    ...parts,
    size: settings.ingress,
    count: scales ? settings.ingress.min : needed.ingress,
    make: processor => ({ processor, scans: scans.connect() }),
    ...(scales && { scaling: { startTime: START_TIME.ingress, load: processorLoad(settings.ingress.cpu / 1024) } }),
  })
  const scanners = createFleet<void>({
    ...parts,
    size: scan.tasks,
    count: scales ? scan.tasks.min : needed.scan,
    make: processor =>
      startWorker(world, scanJob(world, processor, deliveries.connect()), scans.connect(), gateway.scanConcurrency),
    ...byBacklog({ startTime: START_TIME.scan, queue: scans, perTask: scan.backlogPerTask }),
  })
  const deferrals = startDeferrals(world)
  const jobFor = (processor: Processor) => deliveryJob(world, processor, deferrals.defer)

  function startFleet() {
    const fleet = createFleet<void>({
      ...parts,
      size: delivery.tasks,
      count: scales ? delivery.tasks.min : needed.delivery,
      make: processor => startWorker(world, jobFor(processor), deliveries.connect(), gateway.deliveryConcurrency),
      ...byBacklog({ startTime: START_TIME.delivery, queue: deliveries, perTask: delivery.backlogPerTask }),
    })
    return {
      count: fleet.size,
      utilisation: fleet.utilisation,
      usages: () => [] as Usage[],
      services: () => [fleet.size()],
    }
  }

  function startFunctions() {
    const { most, usages } = startDeliveryFunctions(world, jobFor, scales ? undefined : needed.delivery)
    return { count: most, utilisation: () => 0, usages, services: () => [] as number[] }
  }

  const deliverers = delivery.runsOn === 'lambda' ? startFunctions() : startFleet()
  return {
    ingress,
    counts: () => ({ ingress: ingress.size(), scan: scanners.size(), delivery: deliverers.count() }),
    utilisation: () => ({
      ingress: ingress.utilisation(),
      scan: scanners.utilisation(),
      delivery: deliverers.utilisation(),
    }),
    vcpus: fargate.vcpus,
    overdue: deferrals.overdue,
    usages: () => [
      ...fargate.usages([ingress.size(), scanners.size(), ...deliverers.services()]),
      ...deliverers.usages(),
      countOf('Load balancer', 'targets', quotas.targets, ingress.size() * (submission.enabled ? 3 : 1)),
    ],
  }
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
