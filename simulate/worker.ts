// The worker loop of a task, as src/spool/worker.ts and job-queue-sqs.ts do it: one receive at a time, for as many jobs
// as it has room for; all of them are leased, then begun. A job whose storage refuses waits, longer each time, and goes
// on under its lease, as job-run.ts does it.
import { growingDelay } from '../src/spool/job-run.ts'
import type { StepName } from './dynamodb-steps.ts'
import { type Process, settled, start, together } from './process.ts'
import type { Connection } from './sqs.ts'
import type { Message, World } from './world.ts'

export type Job = Readonly<{
  kind: 'scan' | 'delivery'
  lease(message: Message): StepName
  /** Does the work, of which the last write ends the job; false when something failed. */
  handle(message: Message): Process<boolean>
}>

/** When a receive failed, milliseconds. */
const AFTER_FAILURE = 1000

/** Does a job that is leased, however often that takes. */
export function* doJob(job: Job, message: Message): Process {
  for (let attempt = 1; ; attempt++) {
    if (yield* job.handle(message)) return
    yield growingDelay(attempt)
  }
}

/** A task's worker with room for `concurrency` jobs. */
export function startWorker(world: World, job: Job, connection: Connection<Message>, concurrency: number): void {
  const { clock, dynamodb } = world
  let running = 0
  let hasRoom: (() => void) | undefined

  function* lease(message: Message): Process<boolean> {
    if (yield* dynamodb.step(job.lease(message), message.at)) return true
    void connection.later(message, 5000)
    return false
  }

  function* run(message: Message): Process {
    yield* doJob(job, message)
    void connection.remove(message)
  }

  function end(): void {
    running--
    hasRoom?.()
    hasRoom = undefined
  }

  function* loop(): Process {
    for (;;) {
      if (running >= concurrency) {
        yield go => {
          hasRoom = go
        }
      }
      const received = yield* connection.receive(concurrency - running)
      if (received === undefined) {
        yield AFTER_FAILURE
        continue
      }
      const leased = yield* together(clock, received.map(lease))
      for (const message of received.filter((_, n) => leased[n])) {
        running++
        start(clock, run(message), end)
      }
    }
  }

  start(clock, loop())
}

/** Waits until SQS has taken a wake-up; that it has not is no harm to the job. */
export function* wake(connection: Connection<Message>, message: Message): Process {
  yield* settled(connection.send(message))
}
