// Lambda, every minute: brings deferred jobs back that are due, and sends the wake-ups again that SQS has lost. Passes may
// run beside each other; one that ends early leaves the rest to the next. While the home's mail is moved away it rests;
// else it says that the stage is at work.
import { moveUnderWay, sayAtWork } from '../../src/spool/occupancy.ts'
import { resendWakeUps } from '../../src/spool/resend-wake-ups.ts'
import { sweepDeferred } from '../../src/spool/sweep.ts'
import { almostOver, type Context, once, openGatewayFunction } from '../gateway-function.ts'
import { BATCH, RESERVE } from './pace.ts'

const opened = once(openGatewayFunction)

/** How many jobs were brought back, and how many were woken again. */
export async function handler(_event: unknown, context: Context): Promise<Readonly<{ due: number; woken: number }>> {
  const over = almostOver(context, RESERVE)
  try {
    const { backends, store, log, now } = await opened()
    if ((await moveUnderWay({ store, now })) !== undefined) return { due: 0, woken: 0 }
    await sayAtWork({ store, now, log }, 'functions')
    let due = 0
    while (!over.signal.aborted) {
      const brought = await sweepDeferred(backends, now(), undefined, BATCH)
      due += brought
      if (brought < BATCH) break
    }
    return { due, woken: await resendWakeUps(backends, log) }
  } finally {
    over.clear()
  }
}
