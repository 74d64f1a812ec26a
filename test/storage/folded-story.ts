// One message on the home on DynamoDB, taken along the ordinary way step by step, as the stages do it.
import { expect } from 'vitest'
import type { DeliveryJob, ScanJob } from '../../src/mail/job.ts'
import { mintQueueId } from '../../src/mail/queue-id.ts'
import type { RecipientState, TraceEvent } from '../../src/mail/record.ts'
import { type Ledger, readLedger } from '../../src/spool/ledger.ts'
import type { Lease } from '../../src/storage/job-queue.ts'
import type { JobRows } from '../../src/storage/job-rows-dynamodb.ts'
import type { Records } from '../../src/storage/records-dynamodb.ts'
import { ownDynalite } from '../contract/dynamo-tables.ts'
import { acceptedEvent, acceptedMessage } from '../contract/home.ts'
import { type DynamoHome, dynamoHome } from './dynamo-home.ts'

export const BOB = 'bob@example.com'
export const ANN = 'ann@example.com'
export const NEXT_HOP = 'smtp://192.0.2.25:25'

/** Each `Records` is a process of its own on the same table. */
export async function oneMessage() {
  const { faults } = await ownDynalite()
  faults.length = 0
  const home = await dynamoHome()
  return { home, spool: home.make(), queueId: mintQueueId(home.now()) }
}

/** The answers to so many requests of this kind are lost, although they are done. */
export async function lose(operation: string, times = 1): Promise<void> {
  const { faults } = await ownDynalite()
  faults.push({ operation, what: 'lost', times })
}

export function ledgerOf({ records, scanRows: scanJobs, deliveryRows: deliveryJobs }: Records): Promise<Ledger> {
  return readLedger({ records, scanJobs, deliveryJobs })
}

export const itemsOf = ({ table }: DynamoHome, queueId: string) => table.query({ partition: `Q#${queueId}` })
export const isFolded = async (home: DynamoHome, queueId: string) =>
  (await itemsOf(home, queueId)).some(({ folded }) => folded !== undefined)

/** What its record tells: events, and the states of its recipients. */
export const story = async ({ records }: Records, queueId: string) =>
  (await records.get(queueId))!.events.map(({ event }) => event)
export const states = async ({ records }: Records, queueId: string) =>
  (await records.get(queueId))!.recipients.map(({ state }) => state)

/** For tests that do not look at the time. */
export const told = (event: object) => ({ at: 1_700_000_000_000, ...event }) as TraceEvent
export const VERDICT = told({ event: 'verdict', decision: 'deliver', why: 'clean' })

export function accept(spool: Records, queueId: string, recipients = [BOB]): Promise<void> {
  const job = { kind: 'scan', id: `${queueId}/scan/1`, queueId, recipients, attempt: 1 } as const
  return spool.together(
    () => spool.records.create(acceptedMessage({ queueId, recipients }), acceptedEvent()),
    () => spool.scanRows.put(job),
  )
}

async function lease<J extends ScanJob | DeliveryJob>(rows: JobRows<J>, id: string): Promise<Lease<J>> {
  const answer = await rows.lease(id)
  if (answer.got !== 'lease') throw new Error(`${id} is ${answer.got}`)
  return answer.lease
}
export const scanning = ({ scanRows }: Records, queueId: string) => lease(scanRows, `${queueId}/scan/1`)
export const delivering = ({ deliveryRows }: Records, queueId: string) => lease(deliveryRows, `${queueId}/delivery/1`)

export function scanned(spool: Records, scan: Lease<ScanJob>, events = [VERDICT]): Promise<void> {
  const { queueId, recipients } = scan.job
  const id = `${queueId}/delivery/1`
  const job = { kind: 'delivery', id, queueId, recipients, attempt: 1, headers: [{ name: 'X', value: 'y' }] } as const
  const changes = recipients.map(recipient => ({ recipient, state: 'queued' as const }))
  return spool.together(
    () => spool.deliveryRows.put(job),
    () => spool.records.note(queueId, events, changes),
    () => spool.scanRows.done(scan),
  )
}

/** Claims all recipients, and marks them or some of them. */
export async function mark(
  { records }: Records,
  { job, token: claimant }: Lease<DeliveryJob>,
  at: number,
  recipients = job.recipients,
): Promise<void> {
  const claimed = await records.claim(job.queueId, job.recipients, { claimant, until: at + 1_800_000 }, at)
  expect(claimed).toHaveLength(job.recipients.length)
  await records.sending(job.queueId, recipients, { claimant, attempt: 1, at, nextHop: NEXT_HOP })
}

export function end(spool: Records, delivery: Lease<DeliveryJob>, state: RecipientState = 'delivered'): Promise<void> {
  const { queueId, recipients } = delivery.job
  const events = recipients.map(recipient => told({ event: 'delivered', recipient, nextHop: NEXT_HOP }))
  const changes = recipients.map(recipient => ({ recipient, state }))
  return spool.together(
    () => spool.records.note(queueId, events, changes),
    () => spool.deliveryRows.done(delivery),
  )
}
