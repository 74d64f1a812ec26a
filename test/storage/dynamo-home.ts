// A home for the contract suites with records and jobs in DynamoDB. Contents have their own suite.
import type { DeliveryJob, ScanJob } from '../../src/mail/job.ts'
import type { JobRows } from '../../src/storage/job-rows-dynamodb.ts'
import { createRecords, type Records, type RecordsOptions } from '../../src/storage/records-dynamodb.ts'
import type { Table } from '../../src/storage/table-dynamodb.ts'
import { inTurns } from '../../src/storage/write-steps.ts'
import { freshTable } from '../contract/dynamo-tables.ts'
import type { Home } from '../contract/home.ts'
import { contentsInMemory } from './contents-in-memory.ts'
import { pollJobs } from './polled-job-queue.ts'

const LEASE_TIME = 60_000

export type DynamoHome = Home &
  Readonly<{
    table: Table
    scanRows: JobRows<ScanJob>
    deliveryRows: JobRows<DeliveryJob>
    settle(): Promise<void>
    make(more?: Partial<RecordsOptions>): Records
  }>

export async function dynamoHome(): Promise<DynamoHome> {
  const table = await freshTable('records')
  let time = 1_700_000_000_000
  const now = () => time
  const messages = contentsInMemory()
  const hasContent = (queueId: string) =>
    messages.open(queueId).then(
      () => true,
      () => false,
    )
  /** As another process has it. */
  const make = (more: Partial<RecordsOptions> = {}) =>
    createRecords({ table, hasContent, now, leaseTime: LEASE_TIME, ...more })
  const { scanRows, deliveryRows, settle } = make()
  return {
    table,
    scanRows,
    deliveryRows,
    settle,
    make,
    leaseTime: LEASE_TIME,
    now,
    async open() {
      const { records, together, inTurn, ...spool } = make()
      return {
        messages: inTurns(messages, inTurn),
        records,
        scanJobs: pollJobs(spool.scanRows, now),
        deliveryJobs: pollJobs(spool.deliveryRows, now),
        together,
        provisionally: together,
        async close() {},
      }
    },
    async advance(milliseconds) {
      time += milliseconds
    },
    async dispose() {},
  }
}
