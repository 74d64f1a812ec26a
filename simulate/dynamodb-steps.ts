// What each step of a message's way asks of DynamoDB, found by letting the gateway's own adapters do it for some sample
// messages on a table that writes down what they ask. A partition whose name all messages share but for a number at its
// end (`open-scan#5`, `tally#17`) is a hot one, and as many as there are numbers share its load; all others belong to
// one message or one address and only count for the table as a whole.
import type { DeliveryJob, Job, ScanJob } from '../src/mail/job.ts'
import { mintQueueId } from '../src/mail/queue-id.ts'
import type { AcceptedMessage, TraceEvent } from '../src/mail/record.ts'
import { createJobRows, type JobRows } from '../src/storage/job-rows-dynamodb.ts'
import { createDynamoRecordStore } from '../src/storage/record-store-dynamodb.ts'
import { createRecordingTable, type TableRequest } from './recording-table.ts'

export type StepName =
  | 'accept'
  | 'enqueue-scan'
  | 'lease-scan'
  | 'read'
  | 'note-scan'
  | 'enqueue-delivery'
  | 'done-scan'
  | 'lease-delivery'
  | 'claim'
  | 'mark'
  | 'note-delivered'
  | 'defer'
  | 'done-delivery'
  | 'note-again'
  | 'undefer'

export type StepWrite = Readonly<{
  where: string
  units: number
  /** A hot partition and how many there are of it. */
  hot?: Readonly<{ name: string; shards: number }>
}>

export type StepRequest = Readonly<{
  kind: TableRequest['kind']
  writes: readonly StepWrite[]
  readUnits: number
}>

export type Steps = Readonly<{
  of(step: StepName): readonly StepRequest[]
  /** Read units of counting both queues once, as back-pressure does: whatever is queued, and for each job. */
  look: Readonly<{ fixed: number; perJob: number }>
  /** Write units and requests of a message that is accepted, scanned and delivered. */
  ordinary: Readonly<{ writes: number; reads: number; requests: number }>
}>

/** So many that each of some dozens of numbers is drawn by one of them. */
const SAMPLES = 400
/** Steps of a message that is delivered at its first attempt, in order, and of one that is deferred once. */
const ORDINARY: readonly StepName[] = [
  'accept',
  'enqueue-scan',
  'lease-scan',
  'read',
  'note-scan',
  'enqueue-delivery',
  'done-scan',
  'lease-delivery',
  'read',
  'claim',
  'mark',
  'note-delivered',
  'done-delivery',
]

type Sample = Readonly<Record<StepName, readonly TableRequest[]>>

/** Asks the adapters. */
export async function askSteps(): Promise<Steps> {
  const samples: Sample[] = []
  for (let n = 0; n < SAMPLES; n++) samples.push(await sampleOf(n))
  const shards = shardsIn(samples)
  const first = samples[0]!
  const names = Object.keys(first) as StepName[]
  const steps = new Map(names.map(name => [name, first[name].map(request => stepRequest(request, shards))]))
  const of = (step: StepName) => steps.get(step) ?? []
  const ordinary = ORDINARY.flatMap(of)
  return {
    of,
    look: await askLook(),
    ordinary: {
      writes: ordinary.flatMap(({ writes }) => writes).reduce((sum, { units }) => sum + units, 0),
      reads: ordinary.reduce((sum, { readUnits }) => sum + readUnits, 0),
      requests: ordinary.length,
    },
  }
}

async function sampleOf(n: number): Promise<Sample> {
  const { table, taken } = createRecordingTable()
  const at = 1_700_000_000_000 + n
  const now = () => at
  const records = createDynamoRecordStore({ table, hasContent: async () => true })
  const scans = createJobRows<ScanJob>({ table, kind: 'scan', now, leaseTime: 300_000 })
  const deliveries = createJobRows<DeliveryJob>({ table, kind: 'delivery', now, leaseTime: 300_000 })
  const message = sampleMessage(n, at)
  const { queueId } = message
  const recipient = message.envelope.recipients[0]!.address
  const recipients = [recipient]
  const common = { queueId, recipients, attempt: 1 }
  const scan: ScanJob = { ...common, kind: 'scan', id: `${queueId}/scan/1` }
  const delivery: DeliveryJob = { ...common, kind: 'delivery', id: `${queueId}/delivery/1`, headers: [] }
  const later: DeliveryJob = { ...delivery, attempt: 2, id: `${queueId}/delivery/2` }
  const nextHop = 'smtp://192.0.2.25:25'
  const claimant = 'me'

  async function asked<T>(act: Promise<T>): Promise<readonly [readonly TableRequest[], T]> {
    const result = await act
    return [taken(), result]
  }
  const of = async (act: Promise<unknown>) => (await asked(act))[0]
  async function leased<J extends Job>(rows: JobRows<J>, job: J) {
    const [requests, answer] = await asked(rows.lease(job.id))
    if (answer.got !== 'lease') throw new Error(`the sample's ${job.kind} could not be leased`)
    return { requests, lease: answer.lease }
  }

  const scanned: TraceEvent[] = [
    { at, event: 'scanned', findings: [], seconds: 0.1 },
    { at, event: 'verdict', decision: 'deliver', why: 'clean' },
  ]
  const delivered: TraceEvent = { at, event: 'delivered', recipient, nextHop, reply: '250 2.0.0 Ok', seconds: 1 }
  const accept = await of(
    records.create(message, { event: 'accepted', at, reply: `250 2.0.0 Ok: queued as ${queueId}` }),
  )
  const enqueueScan = await of(scans.put(scan))
  const scanLease = await leased(scans, scan)
  const read = await of(records.get(queueId))
  const noteScan = await of(records.note(queueId, scanned, []))
  const enqueueDelivery = await of(deliveries.put(delivery))
  const doneScan = await of(scans.done(scanLease.lease))
  const deliveryLease = await leased(deliveries, delivery)
  const claim = await of(records.claim(queueId, recipients, { claimant, until: at + 1000 }, at))
  const mark = await of(records.sending(queueId, recipients, { claimant, attempt: 1, at, nextHop }))
  const deferred: TraceEvent = {
    at,
    event: 'deferred',
    stage: 'delivery',
    recipients,
    why: '451',
    attempt: 1,
    dueAt: at,
  }
  const defer = await of(
    (async () => {
      await records.defer({ job: later, dueAt: at + 60_000 })
      await records.note(queueId, [deferred], [{ recipient, state: 'deferred' }])
    })(),
  )
  const doneDelivery = await of(deliveries.done(deliveryLease.lease))
  const noteAgain = await of(records.note(queueId, [], [{ recipient, state: 'queued' }]))
  const undefer = await of(records.undefer(later.id))
  const noteDelivered = await of(records.note(queueId, [delivered], [{ recipient, state: 'delivered' }]))

  return {
    accept,
    'enqueue-scan': enqueueScan,
    'lease-scan': scanLease.requests,
    read,
    'note-scan': noteScan,
    'enqueue-delivery': enqueueDelivery,
    'done-scan': doneScan,
    'lease-delivery': deliveryLease.requests,
    claim,
    mark,
    defer,
    'done-delivery': doneDelivery,
    'note-again': noteAgain,
    undefer,
    'note-delivered': noteDelivered,
  }
}

function sampleMessage(n: number, acceptedAt: number): AcceptedMessage {
  const queueId = mintQueueId(acceptedAt)
  return {
    queueId,
    acceptedAt,
    client: { address: '192.0.2.7', port: 40123, helo: 'mail.example.org', esmtp: true },
    envelope: {
      reversePath: `sender${n}@example.org`,
      recipients: [{ address: `user${n}@example.com` }],
      smtputf8: false,
      body: '7BIT',
    },
    size: 75_000,
    messageId: `<${queueId}@example.org>`,
  }
}

const nameOf = (partition: string) => partition.replace(/#\d+$/, '')
const placeOf = (where: string, partition: string) => `${where} ${nameOf(partition)}`

/** Of each place that more than one sample has written to: its partitions. */
function shardsIn(samples: readonly Sample[]): ReadonlyMap<string, number> {
  const writers = new Map<string, { samples: Set<number>; partitions: Set<string> }>()
  for (const [n, sample] of samples.entries()) {
    for (const { where, partition } of Object.values(sample).flatMap(all => all.flatMap(({ writes }) => writes))) {
      const place = placeOf(where, partition)
      const known = writers.get(place) ?? { samples: new Set(), partitions: new Set() }
      known.samples.add(n)
      known.partitions.add(partition)
      writers.set(place, known)
    }
  }
  const shared = [...writers].filter(([, { samples }]) => samples.size > 1)
  return new Map(shared.map(([place, { partitions }]) => [place, partitions.size]))
}

function stepRequest({ kind, writes, readUnits }: TableRequest, shards: ReadonlyMap<string, number>): StepRequest {
  return {
    kind,
    readUnits,
    writes: writes.map(({ where, partition, units }) => {
      const count = shards.get(placeOf(where, partition))
      return { where, units, ...(count !== undefined && { hot: { name: nameOf(partition), shards: count } }) }
    }),
  }
}

/** Counting 0 jobs, and 100. */
async function askLook(): Promise<Steps['look']> {
  const { table, taken } = createRecordingTable()
  const scans = createJobRows<ScanJob>({ table, kind: 'scan', now: () => 0, leaseTime: 300_000 })
  const deliveries = createJobRows<DeliveryJob>({ table, kind: 'delivery', now: () => 0, leaseTime: 300_000 })
  const records = createDynamoRecordStore({ table, hasContent: async () => true })
  const units = () => taken().reduce((sum, { readUnits }) => sum + readUnits, 0)
  const look = async () => {
    taken()
    await Promise.all([scans.tally(), deliveries.tally(), records.tallyDeferrals()])
    return units()
  }
  const fixed = await look()
  const JOBS = 100
  for (let n = 0; n < JOBS; n++) {
    const queueId = mintQueueId(1_700_000_000_000 + n)
    await scans.put({ kind: 'scan', id: `${queueId}/scan/1`, queueId, recipients: ['a@example.com'], attempt: 1 })
  }
  return { fixed, perJob: ((await look()) - fixed) / JOBS }
}
