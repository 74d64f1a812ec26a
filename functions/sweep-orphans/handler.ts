// Lambda, every ten minutes: removes contents that no record names, tells of records without content or job, discards what
// was in quarantine for long enough, and forgets stories that are old enough. What one pass does not reach is the next one's.
import { expireQuarantine } from '../../src/spool/expiry.ts'
import { forgetFinished } from '../../src/spool/retention.ts'
import { type Orphans, sweepOrphans } from '../../src/spool/sweep-orphans.ts'
import { almostOver, type Context, once, openGatewayFunction } from '../gateway-function.ts'

const opened = once(openGatewayFunction)
/** Milliseconds: more than the time between two passes, so that no content falls between them. */
const WINDOW = 60 * 60_000
const RESERVE = 5000
/** Where the last pass over old stories ended. */
let reached: string | undefined

export async function handler(_event: unknown, context: Context): Promise<Orphans & Readonly<{ expired: number }>> {
  const over = almostOver(context, RESERVE)
  const { signal } = over
  try {
    const { config, backends, log, metrics, now } = await opened()
    const parts = { backends, log, metrics, now, signal }
    const orphans = await sweepOrphans({ ...parts, window: WINDOW })
    // Beside other passes nothing is alone; what was released or discarded meanwhile is seen when it is looked at.
    const alone = <T>(act: () => Promise<T>) => act()
    const expired = await expireQuarantine({ ...parts, alone, keep: config.quarantine.keep })
    reached = await forgetFinished({ ...parts, keep: config.trace.keep }, reached)
    return { ...orphans, expired }
  } finally {
    over.clear()
  }
}
