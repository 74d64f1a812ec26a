// A home for the contract suites with records and jobs in DynamoDB. Contents have their own suite.
import type { DeliveryJob, ScanJob } from '../../src/mail/job.ts'
import { createJobRows, type JobRows } from '../../src/storage/job-rows-dynamodb.ts'
import { createDynamoRecordStore } from '../../src/storage/record-store-dynamodb.ts'
import type { Table } from '../../src/storage/table-dynamodb.ts'
import { freshTable } from '../contract/dynamo-tables.ts'
import type { Home } from '../contract/home.ts'
import { contentsInMemory } from './contents-in-memory.ts'
import { pollJobs } from './polled-job-queue.ts'

const LEASE_TIME = 60_000

export type DynamoHome = Home &
  Readonly<{ table: Table; scanRows: JobRows<ScanJob>; deliveryRows: JobRows<DeliveryJob> }>

export async function dynamoHome(): Promise<DynamoHome> {
  const table = await freshTable('records')
  let time = 1_700_000_000_000
  const now = () => time
  const timing = { table, now, leaseTime: LEASE_TIME }
  const scanRows = createJobRows<ScanJob>({ ...timing, kind: 'scan' })
  const deliveryRows = createJobRows<DeliveryJob>({ ...timing, kind: 'delivery' })
  const messages = contentsInMemory()
  return {
    table,
    scanRows,
    deliveryRows,
    leaseTime: LEASE_TIME,
    now,
    async open() {
      const hasContent = (queueId: string) =>
        messages.open(queueId).then(
          () => true,
          () => false,
        )
      const inOrder = async (...writes: readonly (() => Promise<unknown>)[]) => {
        for (const write of writes) await write()
      }
      return {
        messages,
        records: createDynamoRecordStore({ table, hasContent }),
        scanJobs: pollJobs(scanRows, now),
        deliveryJobs: pollJobs(deliveryRows, now),
        together: inOrder,
        provisionally: inOrder,
        async close() {},
      }
    },
    async advance(milliseconds) {
      time += milliseconds
    },
    async dispose() {},
  }
}
