// How many tasks a rate needs: what a message takes of the scarcest thing a task has, at the utilisation that scaling or
// the cost estimate aims at. Pure.
import { SCAN_UTILISATION } from '../lib/cost/load.ts'
import type { DeploymentSettings } from '../lib/deployment-settings.ts'
import { DELIVERY_FUNCTION, INGRESS_CPU } from '../lib/scaling-targets.ts'
import { meanOf, slowestOf } from './random.ts'
import { LAMBDA_VCPUS, type Latencies, PROCESSOR_TIME } from './services.ts'
import type { GatewayTimes, World } from './world.ts'

export type TaskCounts = Readonly<{ ingress: number; scan: number; delivery: number }>

/** Of the jobs that a delivery task has room for, how many are in work on average. */
const ROOM_USED = 0.7

/** Milliseconds that a delivery takes, but for the next hop. */
export function serviceTime({ read, get, write, transaction, remove }: Latencies): number {
  return [read, get, write, write, write, transaction, remove, write].reduce((sum, of) => sum + meanOf(of), 0)
}

/** `rate`: messages a second, of which the share `deferred` comes once more. Functions count as delivery tasks. */
export function tasksFor(
  rate: number,
  settings: Pick<DeploymentSettings, 'ingress' | 'scan' | 'delivery'>,
  {
    latencies,
    gateway,
    processorTime,
    deferred,
  }: Pick<World, 'latencies' | 'processorTime' | 'deferred'> & Readonly<{ gateway: GatewayTimes }>,
): TaskCounts {
  const { ingress, scan, delivery } = settings
  const busy = (milliseconds: number, perSecond = rate) => (perSecond * milliseconds) / 1000
  const vcpus = ({ cpu }: Readonly<{ cpu: number }>) => cpu / 1024
  const attempts = rate * (1 + deferred)
  const isLambda = delivery.runsOn === 'lambda'
  // A function is as slow as the slowest of its batch.
  const { batch } = DELIVERY_FUNCTION
  const answer = isLambda ? slowestOf(batch, latencies.nextHop) : meanOf(latencies.nextHop)
  const room = (isLambda ? batch : gateway.deliveryConcurrency) * ROOM_USED
  const byRoom = busy(serviceTime(latencies) + answer, attempts) / room
  const processor = isLambda ? LAMBDA_VCPUS : vcpus(delivery.tasks)
  const byProcessor = busy(processorTime.delivery, attempts) / (processor * ROOM_USED)
  return {
    ingress: Math.max(ingress.min, Math.ceil(busy(processorTime.ingress) / (vcpus(ingress) * (INGRESS_CPU / 100)))),
    scan: Math.max(
      scan.tasks.min,
      Math.ceil(busy(processorTime.scan + PROCESSOR_TIME.scanWorker) / (vcpus(scan.tasks) * SCAN_UTILISATION)),
    ),
    delivery: Math.max(isLambda ? 1 : delivery.tasks.min, Math.ceil(Math.max(byRoom, byProcessor))),
  }
}
