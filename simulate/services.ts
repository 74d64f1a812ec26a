// Everything that is assumed of the world, in one place, with where it is from: quotas as AWS grants them to a new account,
// latencies, and what a message costs in processor time. `unverified`: nobody has read or measured it for this project.
// Read AWS's own quotas in Service Quotas before you depend on one of these.
import { DELIVERY_FUNCTION } from '../lib/scaling-targets.ts'
import type { Latency } from './random.ts'

type Quota = Readonly<{ value: number; unit: string; adjustable: boolean; source: string; unverified?: true }>

const READ = '2026-11-22'
const DYNAMODB = `docs.aws.amazon.com/amazondynamodb/latest/developerguide/Limits.html, ${READ}`
const S3 = `aws.amazon.com/premiumsupport/knowledge-center/s3-object-key-naming-pattern, ${READ}`
const LAMBDA = `docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html, ${READ}`
const FARGATE = `docs.aws.amazon.com/AmazonECS/latest/userguide/throttling.html, ${READ}`
const NLB = `docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-limits.html, ${READ}`
const KNOWN = 'general knowledge of AWS, 2026'

export const QUOTAS = {
  tableWrites: { value: 40_000, unit: 'write units/s', adjustable: true, source: DYNAMODB },
  tableReads: { value: 40_000, unit: 'read units/s', adjustable: true, source: DYNAMODB },
  /** Of one key of an index: sorted by time, so a hot one is not split. */
  partitionWrites: { value: 1000, unit: 'write units/s', adjustable: false, source: DYNAMODB },
  prefixWrites: { value: 3500, unit: 'PUT+DELETE/s', adjustable: false, source: S3 },
  prefixReads: { value: 5500, unit: 'GET/s', adjustable: false, source: S3 },
  inFlight: { value: 120_000, unit: 'messages', adjustable: true, source: '@aws-sdk/client-sqs types, 2026' },
  /** On demand; Spot has as many again. */
  vcpus: { value: 6, unit: 'vCPU', adjustable: true, source: KNOWN, unverified: true },
  taskLaunches: { value: 20, unit: 'tasks/s', adjustable: true, source: FARGATE },
  tasksPerService: { value: 5000, unit: 'tasks', adjustable: true, source: KNOWN, unverified: true },
  /** With cross-zone balancing, which we use, for all zones together; each listener's targets count. */
  targets: { value: 500, unit: 'targets', adjustable: true, source: NLB },
  networkInterfaces: { value: 5000, unit: 'interfaces', adjustable: true, source: KNOWN, unverified: true },
  lambdaConcurrency: { value: 1000, unit: 'functions', adjustable: true, source: KNOWN, unverified: true },
  /** Batches of one queue that Lambda works on at a time; our setting delivery.concurrency may say fewer. */
  sqsBatches: { value: 1000, unit: 'batches', adjustable: false, source: LAMBDA },
  /** From one address of a NAT gateway to one address and port. */
  natConnections: { value: 55_000, unit: 'connections', adjustable: false, source: KNOWN, unverified: true },
} as const satisfies Readonly<Record<string, Quota>>

export type QuotaName = keyof typeof QUOTAS
export type Quotas = Readonly<Record<QuotaName, number>>

/** Batches that Lambda begins with, and adds in a minute while there are messages (source as sqsBatches). */
export const LAMBDA_BATCHES = { atFirst: 5, aMinute: 300 } as const
/** What Fargate launches at once before it keeps to its rate (source as taskLaunches). */
export const LAUNCH_BURST = 100

/** Milliseconds, as seen by the caller. Assumed, all of them: inside a region, small items, contents of 75 KB. */
export const LATENCIES = {
  write: { median: 5, p99: 20 },
  transaction: { median: 12, p99: 45 },
  read: { median: 4, p99: 15 },
  put: { median: 30, p99: 150 },
  get: { median: 20, p99: 100 },
  remove: { median: 15, p99: 80 },
  send: { median: 8, p99: 40 },
  receive: { median: 10, p99: 50 },
  /** DNS look-ups of rspamd, during which no processor is used. */
  scanners: { median: 150, p99: 1500 },
  /** A delivery attempt on a connection that is open, or is opened for it. */
  nextHop: { median: 400, p99: 4000 },
} as const satisfies Readonly<Record<string, Latency>>

export type Latencies = Readonly<Record<keyof typeof LATENCIES, Latency>>

/** The share of a transaction's time during which a second one on the same item is refused. Assumed. */
export const TRANSACTION_HOLDS = 0.5

/** Milliseconds of one vCPU for a message, contents of 75 KB. Assumed; scanning: lib/cost/load.ts. */
export const PROCESSOR_TIME = { ingress: 4, scanWorker: 3, delivery: 4 } as const

/** Milliseconds from the decision to start a task until it works: image, and clamd's signatures. Assumed. */
export const START_TIME = { ingress: 45_000, scan: 150_000, delivery: 45_000 } as const

/** Of the function that brings deferred mail back, milliseconds: as lib/constructs/sweepers.ts has it. */
export const SWEEP = { every: 60_000, time: 50_000 } as const

/** The quotas with some of them changed. */
export function quotasWith(changed: Readonly<Partial<Record<QuotaName, number>>>): Quotas {
  const all = Object.entries(QUOTAS).map(([name, { value }]) => [name, changed[name as QuotaName] ?? value])
  return Object.fromEntries(all)
}

export function latenciesTimes(factor: number, nextHop: Latency = LATENCIES.nextHop): Latencies {
  const slower = ({ median, p99 }: Latency) => ({ median: factor * median, p99: factor * p99 })
  const all = Object.entries({ ...LATENCIES, nextHop }).map(([name, latency]) => [name, slower(latency)])
  return Object.fromEntries(all)
}

/** What a function's memory of 512 MB buys: a vCPU is 1,769 MB (docs.aws.amazon.com/lambda, unverified). */
export const LAMBDA_VCPUS = DELIVERY_FUNCTION.memory / 1769
