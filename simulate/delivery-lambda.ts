// Delivery by Lambda: the event source takes batches from the queue, at first a few at a time and more by the minute while
// there are messages, up to what the stage and the account allow. A batch ends with its slowest job; what its function
// answers as done the event source removes, in one request.
import { DELIVERY_FUNCTION } from '../lib/scaling-targets.ts'
import { countOf, type Usage } from './meter.ts'
import { type Process, start, together } from './process.ts'
import { createProcessor, type Processor } from './processor.ts'
import { LAMBDA_BATCHES, LAMBDA_VCPUS } from './services.ts'
import { doJob, type Job } from './worker.ts'
import type { Message, World } from './world.ts'

export type DeliveryFunctions = Readonly<{
  /** At most at a time. */
  most(): number
  usages(): Usage[]
}>

/** `count`: batches that are worked on at a time from the beginning; absent: as Lambda begins. */
export function startDeliveryFunctions(
  world: World,
  jobFor: (processor: Processor) => Job,
  count: number | undefined,
): DeliveryFunctions {
  const { clock, deliveries, dynamodb, quotas, settings } = world
  const asked = count === undefined ? settings.delivery.concurrency : count
  const limit = Math.min(asked, quotas.sqsBatches, quotas.lambdaConcurrency)
  let copies = 0
  let busy = 0
  let most = 0

  function* copy(): Process {
    const connection = deliveries.connect()
    const job = jobFor(createProcessor(clock, LAMBDA_VCPUS))

    function* one(message: Message): Process {
      if (!(yield* dynamodb.step(job.lease(message), message.at))) return
      yield* doJob(job, message)
      void connection.remove(message)
    }

    for (;;) {
      const batch = yield* connection.receive(DELIVERY_FUNCTION.batch)
      if (batch === undefined || batch.length === 0) continue
      most = Math.max(most, ++busy)
      yield* together(clock, batch.map(one))
      busy--
    }
  }

  function grow(to: number): void {
    for (; copies < Math.min(to, limit); copies++) start(clock, copy())
  }

  function* more(): Process {
    for (;;) {
      yield 60_000 / LAMBDA_BATCHES.aMinute
      if (deliveries.visible() > 0) grow(copies + 1)
    }
  }

  grow(count ?? LAMBDA_BATCHES.atFirst)
  start(clock, more())
  return {
    most: () => most,
    usages: () => [
      countOf('Lambda concurrency', 'functions', quotas.lambdaConcurrency, most),
      countOf('Lambda batches of a queue', 'batches', quotas.sqsBatches, most),
    ],
  }
}
