// The tasks of one service. Either as many as the rate needs are there from the beginning, or their number follows what
// Application Auto Scaling sees: once a minute, three minutes in a row above the target, a pause after each step. New
// tasks work after their start time, launched no faster than Fargate does and only while there is quota for their vCPUs.
import { COOLDOWN } from '../lib/scaling-targets.ts'
import type { Clock } from './clock.ts'
import { countOf, type Usage } from './meter.ts'
import { type Process, start } from './process.ts'
import { createProcessor, type Processor } from './processor.ts'
import type { Chance } from './random.ts'
import { LAUNCH_BURST, type Quotas } from './services.ts'

export type Fleet<T> = Readonly<{
  /** One of them, as the load balancer picks it. */
  any(): T
  size(): number
  /** Share of the processors' time that was used since the beginning. */
  utilisation(): number
}>

/** Fargate as all services of a stage share it. */
export type Fargate = Readonly<{
  /** Takes what a task needs, whether or not there is quota for it. */
  place(vcpus: number): void
  /** Milliseconds until it is launched; undefined when there is no quota for it. */
  launch(vcpus: number): number | undefined
  vcpus(): number
  usages(tasks: readonly number[]): Usage[]
}>

type Size = Readonly<{ cpu: number; min: number; max: number }>

export type FleetOptions<T> = Readonly<{
  clock: Clock
  chance: Chance
  fargate: Fargate
  size: Size
  /** Tasks to begin with. */
  count: number
  make(processor: Processor): T
  /** Absent: the number stays. `load`: what is measured, divided by its target. */
  scaling?: Readonly<{ startTime: number; load(tasks: number, processors: readonly Processor[]): number }>
}>

const MINUTE = 60_000
/** Data points above the target before tasks are added. */
const MINUTES_ABOVE = 3

export function createFargate(clock: Clock, quotas: Quotas): Fargate {
  let vcpusUsed = 0
  let refused = 0
  let launches = LAUNCH_BURST
  let at = 0
  return {
    place(vcpus) {
      vcpusUsed += vcpus
    },
    launch(vcpus) {
      if (vcpusUsed + vcpus > quotas.vcpus) {
        refused++
        return undefined
      }
      vcpusUsed += vcpus
      launches = Math.min(LAUNCH_BURST, launches + ((clock.now() - at) * quotas.taskLaunches) / 1000)
      at = clock.now()
      launches--
      return launches >= 0 ? 0 : (-launches * 1000) / quotas.taskLaunches
    },
    vcpus: () => vcpusUsed,
    usages: tasks => {
      const all = tasks.reduce((sum, count) => sum + count, 0)
      return [
        countOf('Fargate', 'vCPU', quotas.vcpus, vcpusUsed, refused),
        countOf('Tasks of a service', 'tasks', quotas.tasksPerService, Math.max(...tasks)),
        countOf('Network interfaces', 'interfaces', quotas.networkInterfaces, all),
      ]
    },
  }
}

export function createFleet<T>(options: FleetOptions<T>): Fleet<T> {
  const { clock, chance, fargate, size, count, make, scaling } = options
  const vcpus = size.cpu / 1024
  const tasks: T[] = []
  const processors: Processor[] = []
  let launched = 0
  let taskTime = 0
  let counted = 0

  function begin(): void {
    const processor = createProcessor(clock, vcpus)
    taskTime += tasks.length * (clock.now() - counted)
    counted = clock.now()
    processors.push(processor)
    tasks.push(make(processor))
  }

  function launch(desired: number, startTime: number): void {
    while (launched < desired) {
      const wait = fargate.launch(vcpus)
      if (wait === undefined) return
      launched++
      clock.after(wait + startTime, begin)
    }
  }

  function* scale({ startTime, load }: NonNullable<FleetOptions<T>['scaling']>): Process {
    let above = 0
    let changedAt = Number.NEGATIVE_INFINITY
    for (;;) {
      yield MINUTE
      const ratio = load(tasks.length, processors)
      above = ratio > 1 ? above + 1 : 0
      const desired = Math.min(size.max, Math.ceil(tasks.length * ratio))
      if (above < MINUTES_ABOVE || clock.now() - changedAt < COOLDOWN.out * 1000 || desired <= launched) continue
      changedAt = clock.now()
      launch(desired, startTime)
    }
  }

  for (let n = 0; n < count; n++) {
    fargate.place(vcpus)
    launched++
    begin()
  }
  if (scaling !== undefined) start(clock, scale(scaling))

  return {
    any: () => tasks[Math.floor(chance() * tasks.length)]!,
    size: () => tasks.length,
    utilisation() {
      const time = taskTime + tasks.length * (clock.now() - counted)
      return processors.reduce((sum, processor) => sum + processor.used(), 0) / (time * vcpus)
    },
  }
}
