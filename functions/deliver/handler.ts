// Lambda: delivers what the delivery queue wakes it for. One copy of the function keeps its connections to AWS and to next
// hops from one invocation to the next; a next hop that has closed one meanwhile costs a new one.
import { createDeliveryStage, type DeliveryStage } from '../../local/delivery-stage.ts'
import type { DeliveryJob } from '../../src/mail/job.ts'
import { createJobRun, type JobRun } from '../../src/spool/job-run.ts'
import { almostOver, type Context, type GatewayFunction, once, openGatewayFunction } from '../gateway-function.ts'
import { type BatchAnswer, deliverBatch, type SqsRecord } from './deliver-batch.ts'

type SqsEvent = Readonly<{ Records: readonly SqsRecord[] }>
type Opened = Readonly<{ gateway: GatewayFunction; stage: DeliveryStage; job: JobRun<DeliveryJob> }>

/** Parts of an invocation's time: an attempt, and behind its final dot the wait for the reply. */
const ATTEMPT = 0.5
const DOT = 0.35
/** Milliseconds: to settle what was called off, and to answer. */
const TO_SETTLE = 10_000
const TO_ANSWER = 2000

async function open(time: number): Promise<Opened> {
  const gateway = await openGatewayFunction()
  // So short that an attempt ends by itself, with its deferral, before the function does.
  const timeouts = { attempt: ATTEMPT * time, dot: DOT * time }
  const stage = createDeliveryStage(gateway, timeouts)
  return { gateway, stage, job: createJobRun({ ...stage, queue: gateway.backends.deliveryJobs }) }
}

let opened: (() => Promise<Opened>) | undefined

export async function handler({ Records }: SqsEvent, context: Context): Promise<BatchAnswer> {
  const [calledOff, over] = [almostOver(context, TO_SETTLE), almostOver(context, TO_ANSWER)]
  opened ??= once(() => open(context.getRemainingTimeInMillis()))
  try {
    const { gateway, job } = await opened()
    const { backends, log } = gateway
    const parts = { queue: backends.deliveryJobs, run: job.run, calledOff: calledOff.signal, over: over.signal, log }
    return await deliverBatch(Records, parts)
  } finally {
    calledOff.clear()
    over.clear()
  }
}

/** Ends what is kept between invocations: for whoever runs the function in a process of his own. */
export async function close(): Promise<void> {
  const ending = opened
  opened = undefined
  if (ending === undefined) return
  const { gateway, stage } = await ending()
  await stage.close()
  await gateway.store.close()
  await gateway.backends.close()
}
