// All that is in the records table, put together: the record store and the rows of both queues, over messages that are
// folded and such that are not, and `together`, which does in one write what can be one.
import type { DeliveryJob, Job, ScanJob } from '../mail/job.ts'
import { createFold } from './fold-dynamodb.ts'
import type { Leases } from './folded-item-dynamodb.ts'
import { createFoldedJobs } from './folded-jobs-dynamodb.ts'
import { createJobRows, type JobRows } from './job-rows-dynamodb.ts'
import { createEventClock } from './record-items-dynamodb.ts'
import { partitionOf } from './record-keys-dynamodb.ts'
import type { RecordStore } from './record-store.ts'
import { createDynamoRecordStore } from './record-store-dynamodb.ts'
import type { Table } from './table-dynamodb.ts'
import { createUnfold } from './unfold-dynamodb.ts'
import { createWriteSteps } from './write-steps.ts'
import { createYoung } from './young-messages-dynamodb.ts'

export type RecordsOptions = Readonly<{
  table: Table
  hasContent: (queueId: string) => Promise<boolean>
  now: () => number
  /** Milliseconds until a job whose worker is silent may be leased by another. */
  leaseTime: number
  /** Milliseconds that a story is kept after its end; 0: for ever. */
  keep?: number
}>

export type Records = Readonly<{
  records: RecordStore
  scanRows: JobRows<ScanJob>
  deliveryRows: JobRows<DeliveryJob>
  together(...writes: readonly (() => Promise<unknown>)[]): Promise<void>
  /** Takes a write elsewhere into its turn, when it is called within `together`. */
  inTurn<T>(run: () => Promise<T>): Promise<T>
  /** Whether a message has jobs, leased or not, dead or not. Unfolds it, for whoever asks takes it for left behind. */
  hasJobs(queueId: string): Promise<boolean>
  /** Settles the account of messages some minutes old: to be done every minute, anywhere. */
  settle(): Promise<void>
}>

export function createRecords({ table, hasContent, now, leaseTime, keep = 0 }: RecordsOptions): Records {
  const leases: Leases = new Map()
  const unfold = createUnfold(table, leases)
  const young = createYoung({ table, unfold, now })
  const nextEventAt = createEventClock()
  const { step, together } = createWriteSteps(createFold({ table, leases, now, leaseTime, keep, nextEventAt }))
  const inTurn = <T>(run: () => Promise<T>) => step(undefined, run)

  function rowsOf<J extends Job>(kind: J['kind']): JobRows<J> {
    const parts = { table, unfold, leases, young, now, leaseTime }
    const rows = createFoldedJobs(createJobRows<J>({ table, kind, now, leaseTime }), kind, parts)
    return {
      ...rows,
      put: job => step({ what: 'put', job, leased: false }, () => rows.put(job)),
      putLeased: job => step({ what: 'put', job, leased: true }, () => rows.putLeased(job)),
      done: lease => step({ what: 'done', lease }, () => rows.done(lease)),
      retry: (lease, delay, reason) => inTurn(() => rows.retry(lease, delay, reason)),
      release: lease => inTurn(() => rows.release(lease)),
      narrow: (lease, recipients) => inTurn(() => rows.narrow(lease, recipients)),
      deadLetter: (lease, reason) => inTurn(() => rows.deadLetter(lease, reason)),
      redrive: jobId => inTurn(() => rows.redrive(jobId)),
    }
  }

  const store = createDynamoRecordStore({ table, hasContent, unfold, leases, young, nextEventAt })
  const records: RecordStore = {
    ...store,
    create: (message, event) => step({ what: 'create', message, event }, () => store.create(message, event)),
    note: (queueId, events, changes) =>
      step({ what: 'note', queueId, events, changes }, () => store.note(queueId, events, changes)),
    unmark: (queueId, recipients, claimant) => inTurn(() => store.unmark(queueId, recipients, claimant)),
    defer: deferral => inTurn(() => store.defer(deferral)),
    undefer: jobId => inTurn(() => store.undefer(jobId)),
  }

  return {
    records,
    scanRows: rowsOf<ScanJob>('scan'),
    deliveryRows: rowsOf<DeliveryJob>('delivery'),
    together,
    inTurn,
    async hasJobs(queueId) {
      await unfold(queueId)
      return (await table.query({ partition: partitionOf(queueId), prefix: 'J#', limit: 1 })).length > 0
    },
    settle: young.settle,
  }
}
