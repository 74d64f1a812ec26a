// What the jobs of both queues do, in the order in which the gateway's handlers do it: scan (src/scan/scan-job.ts), and
// deliver (src/deliver/delivery-job.ts), by tasks or by Lambda. What the next hop defers is given to `defer`.
import type { Process } from './process.ts'
import type { Processor } from './processor.ts'
import { latency } from './random.ts'
import { PROCESSOR_TIME } from './services.ts'
import type { Connection } from './sqs.ts'
import { type Job, wake } from './worker.ts'
import type { Message, World } from './world.ts'

export function scanJob(world: World, processor: Processor, deliveries: Connection<Message>): Job {
  const { dynamodb, s3, chance, latencies, census, processorTime } = world
  return {
    kind: 'scan',
    lease: () => 'lease-scan',
    *handle(message: Message): Process<boolean> {
      const { at } = message
      if (!(yield* dynamodb.step('read', at)) || !(yield* s3.ask('get', at))) return false
      yield latency(chance, latencies.scanners)
      yield processor.work(processorTime.scan + PROCESSOR_TIME.scanWorker)
      if (!(yield* dynamodb.step('scanned', at))) return false
      // A scan that is done again finds its delivery job queued.
      if (message.place === 'scan') {
        census.move(message, 'delivery')
        yield* wake(deliveries, message)
      }
      return true
    },
  }
}

export function deliveryJob(world: World, processor: Processor, defer: (message: Message) => void): Job {
  const { clock, dynamodb, s3, chance, latencies, census, delivering, processorTime, nextHops } = world
  return {
    kind: 'delivery',
    lease: ({ attempt }) => (attempt === 1 ? 'lease-delivery' : 'lease-again'),
    *handle(message: Message): Process<boolean> {
      const { at } = message
      if (message.place !== 'delivery') return true
      if (!(yield* dynamodb.step('read', at)) || !(yield* s3.ask('get', at))) return false
      // Until it is deferred, its lease is its claim.
      const isFirst = message.attempt === 1
      if (!isFirst && !(yield* dynamodb.step('claim-again', at))) return false
      yield processor.work(processorTime.delivery)
      if (!(yield* dynamodb.step(isFirst ? 'mark' : 'mark-again', at))) return false
      nextHops.most = Math.max(nextHops.most, ++nextHops.now)
      yield latency(chance, latencies.nextHop)
      nextHops.now--
      if (chance() < world.deferred) {
        if (!(yield* dynamodb.step(isFirst ? 'defer' : 'defer-again', at))) return false
        defer(message)
        return true
      }
      if (!(yield* dynamodb.step(isFirst ? 'delivered' : 'delivered-again', at))) return false
      census.move(message, 'delivered')
      delivering.add(clock.now() - message.begun)
      yield* s3.ask('remove', at)
      return true
    },
  }
}
