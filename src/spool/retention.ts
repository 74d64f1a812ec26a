// How long stories are kept: records of messages that ended longer than `keep` ago are removed with their events, in
// small batches between other writes. Nothing that is open, held, in quarantine or has a job goes, however old. The
// ledger's totals stay. What was not reached in one pass is the next one's.
import type { Log } from '../platform/log.ts'
import type { Backends } from '../storage/backends.ts'

type Options = Readonly<{
  backends: Readonly<{ records: Pick<Backends['records'], 'forget'> }>
  now: () => number
  log: Log
  /** Milliseconds; 0: for ever. */
  keep: number
  /** Ends a pass early. */
  signal?: AbortSignal
}>

const BATCH = 100
/** Records looked at in one pass: 20 million a day, and no pass is long. */
const MOST = 20_000

/** One pass, from where the last one ended. Returns where the next one begins: undefined is at the oldest record. */
export async function forgetFinished(
  { backends, now, log, keep, signal }: Options,
  after?: string,
): Promise<string | undefined> {
  if (keep === 0) return undefined
  const before = now() - keep
  let records = 0
  let next = after
  for (let looked = 0; looked < MOST && !signal?.aborted; looked += BATCH) {
    const page = { limit: BATCH, ...(next !== undefined && { after: next }) }
    const batch = await backends.records.forget(before, page)
    records += batch.forgotten
    next = batch.next
    if (next === undefined) break
  }
  if (records > 0) log.info({ records }, 'records-forgotten')
  return next
}
