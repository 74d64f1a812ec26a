// Clients that send messages at random moments, and the tasks that take them: content to S3, record and job to DynamoDB,
// a wake-up to SQS, and only then 250. A step that fails is a 451. Back-pressure looks at the queues as the gateway's does.
import { PRESSURE_INTERVAL } from '../local/serve.ts'
import type { Fleet } from './fleet.ts'
import { type Process, settled, start } from './process.ts'
import type { Processor } from './processor.ts'
import { exponential } from './random.ts'
import type { Connection } from './sqs.ts'
import type { Message, World } from './world.ts'

export type IngressTask = Readonly<{ processor: Processor; scans: Connection<Message> }>

export type Ingress = Readonly<{
  offered(): number
  /** Messages whose client heard 451: for want of a service, or of room. */
  refused(): Readonly<{ service: number; pressure: number }>
  stop(): void
}>

/** `rate`: messages a second. */
export function startIngress(world: World, rate: number, fleet: Fleet<IngressTask>): Ingress {
  const { clock, chance, census, dynamodb, s3, steps, gateway, processorTime, accepting } = world
  const refused = { service: 0, pressure: 0 }
  let offered = 0
  let stopped = false
  let isFull = false

  function* clients(): Process {
    for (;;) {
      yield exponential(chance, 1000 / rate)
      if (stopped) return
      offered++
      if (isFull) refused.pressure++
      else start(clock, session())
    }
  }

  function* session(): Process {
    const begun = clock.now()
    const message: Message = { begun, at: chance(), acceptedAt: 0, place: 'scan', attempt: 1 }
    const task = fleet.any()
    yield task.processor.work(processorTime.ingress)
    if (!(yield* store(message, task))) {
      refused.service++
      return
    }
    message.acceptedAt = clock.now()
    accepting.add(clock.now() - begun)
  }

  function* store(message: Message, { scans }: IngressTask): Process<boolean> {
    if (!(yield* s3.ask('put', message.at))) return false
    if (!(yield* dynamodb.step('accept', message.at))) return false
    census.accept(message)
    yield* settled(scans.send(message))
    return true
  }

  function* pressure(): Process {
    for (;;) {
      yield PRESSURE_INTERVAL.aws
      const { scan, delivery, deferred } = census.counts
      for (let task = 0; task < fleet.size(); task++) {
        dynamodb.read(steps.look.fixed + steps.look.perJob * (scan + delivery))
      }
      isFull = scan + delivery + deferred > gateway.mostQueued
    }
  }

  start(clock, clients())
  start(clock, pressure())
  return {
    offered: () => offered,
    refused: () => refused,
    stop() {
      stopped = true
    },
  }
}
