// What each step of a message's way asks of DynamoDB, found by letting the gateway's own adapters do it for some sample
// messages on a table that writes down what they ask. A partition whose name all messages share but for a number at its
// end (`open-scan#5`, `tally#17`) is a hot one, and as many as there are numbers share its load; all others belong to
// one message or one address and only count for the table as a whole.
import type { DeliveryJob, Job, ScanJob } from '../src/mail/job.ts'
import { mintQueueId } from '../src/mail/queue-id.ts'
import type { AcceptedMessage, RecipientState, TraceEvent } from '../src/mail/record.ts'
import type { Lease } from '../src/storage/job-queue.ts'
import type { JobRows } from '../src/storage/job-rows-dynamodb.ts'
import { createRecords, type Records } from '../src/storage/records-dynamodb.ts'
import { createRecordingTable, type TableRequest } from './recording-table.ts'

/** `again`: of a message that is not folded any more. */
export type StepName =
  | 'accept'
  | 'lease-scan'
  | 'read'
  | 'scanned'
  | 'lease-delivery'
  | 'mark'
  | 'delivered'
  | 'defer'
  | 'enqueue-again'
  | 'note-again'
  | 'undefer'
  | 'lease-again'
  | 'claim-again'
  | 'mark-again'
  | 'delivered-again'
  | 'defer-again'

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

const LEASE_TIME = 300_000
const NEXT_HOP = 'smtp://192.0.2.25:25'
/** So many that each of some dozens of numbers is drawn by one of them. */
const SAMPLES = 400
/** Steps of a message that is delivered at its first attempt, in order. */
const ORDINARY: readonly StepName[] = [
  'accept',
  'lease-scan',
  'read',
  'scanned',
  'lease-delivery',
  'read',
  'mark',
  'delivered',
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

/** One message that is delivered at once, and one that is deferred, twice. */
async function sampleOf(n: number): Promise<Sample> {
  const { table, taken } = createRecordingTable()
  const at = 1_700_000_000_000 + n
  const spool = createRecords({ table, hasContent: async () => true, now: () => at, leaseTime: LEASE_TIME })
  const steps = stepsOf(spool, at, taken)
  const ordinary = await steps.begin(sampleMessage(2 * n, at))
  const delivered = await steps.asked(() => steps.end(ordinary.lease))

  const { lease } = await steps.begin(sampleMessage(2 * n + 1, at))
  const second = await steps.again(lease, 2)
  const third = await steps.again(second.lease, 3)
  const deliveredAgain = await steps.asked(() => steps.end(third.lease))
  return {
    ...ordinary.requests,
    delivered,
    defer: second.requests.defer,
    'enqueue-again': second.requests.enqueue,
    'note-again': second.requests.note,
    undefer: second.requests.undefer,
    'lease-again': second.requests.lease,
    'claim-again': second.requests.claim,
    'mark-again': second.requests.mark,
    'defer-again': third.requests.defer,
    'delivered-again': deliveredAgain,
  }
}

/** What the stages do with a message, and what that asks of the table. */
function stepsOf({ records, scanRows, deliveryRows, together }: Records, at: number, taken: () => TableRequest[]) {
  async function asked(act: () => Promise<unknown>): Promise<readonly TableRequest[]> {
    taken()
    await act()
    return taken()
  }
  async function leased<J extends Job>(rows: JobRows<J>, job: J) {
    taken()
    const answer = await rows.lease(job.id)
    if (answer.got !== 'lease') throw new Error(`the sample's ${job.kind} could not be leased`)
    return { requests: taken(), lease: answer.lease }
  }
  const claim = ({ job, token }: Lease<DeliveryJob>) =>
    records.claim(job.queueId, job.recipients, { claimant: token, until: at + 1000 }, at)
  const mark = ({ job, token }: Lease<DeliveryJob>) =>
    records.sending(job.queueId, job.recipients, { claimant: token, attempt: job.attempt, at, nextHop: NEXT_HOP })
  const moved = (job: Job, state: RecipientState) => job.recipients.map(recipient => ({ recipient, state }))

  return {
    asked,

    /** As far as the final dot's mark. */
    async begin(message: AcceptedMessage) {
      const { queueId } = message
      const recipients = message.envelope.recipients.map(({ address }) => address)
      const common = { queueId, recipients, attempt: 1 }
      const scan: ScanJob = { ...common, kind: 'scan', id: `${queueId}/scan/1` }
      const delivery: DeliveryJob = { ...common, kind: 'delivery', id: `${queueId}/delivery/1`, headers: [] }
      const story: TraceEvent[] = [
        { at, event: 'scanned', findings: [], seconds: 0.1 },
        { at, event: 'verdict', decision: 'deliver', why: 'clean' },
      ]
      const accept = await asked(() =>
        together(
          () => records.create(message, { event: 'accepted', at, reply: `250 2.0.0 Ok: queued as ${queueId}` }),
          () => scanRows.put(scan),
        ),
      )
      const scanning = await leased(scanRows, scan)
      const read = await asked(() => records.get(queueId))
      const scanned = await asked(() =>
        together(
          () => deliveryRows.put(delivery),
          () => records.note(queueId, story, moved(delivery, 'queued')),
          () => scanRows.done(scanning.lease),
        ),
      )
      const { lease, requests } = await leased(deliveryRows, delivery)
      await claim(lease)
      const marked = await asked(() => mark(lease))
      const leases = { 'lease-scan': scanning.requests, 'lease-delivery': requests }
      return { lease, requests: { accept, read, scanned, mark: marked, ...leases } }
    },

    end(lease: Lease<DeliveryJob>) {
      const { queueId, recipients } = lease.job
      const how = { nextHop: NEXT_HOP, reply: '250 2.0.0 Ok', seconds: 1 }
      const events = recipients.map((recipient): TraceEvent => ({ at, event: 'delivered', recipient, ...how }))
      return together(
        () => records.note(queueId, events, moved(lease.job, 'delivered')),
        () => deliveryRows.done(lease),
      )
    },

    /** Deferred, brought back, and as far as the next mark. */
    async again(before: Lease<DeliveryJob>, attempt: number) {
      const job = { ...before.job, attempt, id: `${before.job.queueId}/delivery/${attempt}` }
      const { queueId, recipients } = job
      const told = { stage: 'delivery', recipients, why: '451', attempt, dueAt: at } as const
      const defer = await asked(() =>
        together(
          () => records.defer({ job, dueAt: at + 60_000 }),
          () => records.note(queueId, [{ at, event: 'deferred', ...told }], moved(job, 'deferred')),
          () => deliveryRows.done(before),
        ),
      )
      const enqueue = await asked(() => deliveryRows.put(job))
      const note = await asked(() => records.note(queueId, [], moved(job, 'queued')))
      const undefer = await asked(() => records.undefer(job.id))
      const { lease, requests } = await leased(deliveryRows, job)
      const claimed = await asked(() => claim(lease))
      const marked = await asked(() => mark(lease))
      return { lease, requests: { defer, enqueue, note, undefer, lease: requests, claim: claimed, mark: marked } }
    },
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
  const at = 1_700_000_000_000
  const { records, scanRows, deliveryRows, together } = createRecords({
    ...{ table, hasContent: async () => true, now: () => at, leaseTime: LEASE_TIME },
  })
  const units = () => taken().reduce((sum, { readUnits }) => sum + readUnits, 0)
  const look = async () => {
    taken()
    await Promise.all([scanRows.tally(), deliveryRows.tally(), records.tallyDeferrals()])
    return units()
  }
  const fixed = await look()
  const JOBS = 100
  for (let n = 0; n < JOBS; n++) {
    const message = sampleMessage(n, at)
    const { queueId } = message
    const recipients = message.envelope.recipients.map(({ address }) => address)
    await together(
      () => records.create(message, { event: 'accepted', at, reply: '250 2.0.0 Ok' }),
      () => scanRows.put({ kind: 'scan', id: `${queueId}/scan/1`, queueId, recipients, attempt: 1 }),
    )
  }
  return { fixed, perJob: ((await look()) - fixed) / JOBS }
}
