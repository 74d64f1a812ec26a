// What a month of mail asks of AWS: how many of each billed unit a message takes, and what stands there whether mail comes
// or not. The units of a message are those that tests count on the real adapters (test/lib/cost-counted.test.ts,
// test/storage/dynamodb-bill.test.ts); what is only assumed says so.
import type { DeploymentSettings } from '../deployment-settings.ts'

export const HOURS_IN_MONTH = 730
export const GB = 1e9

/** A month. */
export type Load = Readonly<{ messages: number; octets: number }>

/** For one message with one recipient, which is clean and delivered at the first attempt; `octets` is its size. */
export const PER_MESSAGE = {
  s3Puts: 1,
  /** The scanner reads it, then delivery. */
  s3Gets: 2,
  /** Two wake-ups, each sent, received and removed. At a few messages a second no batch has more than one. */
  sqsRequests: 6,
  /** Accepted 2, scanned 2, delivered 3. */
  dynamodbWrites: 7,
  /** Scanned 1, delivered 1, the ledger 0.5 twice (its cursor, and a look at it). */
  dynamodbReads: 3,
  /** Four lines of a session with one message, with what CloudWatch adds to each, and some room for long names and TLS. */
  logOctets: 1_500,
  /** Assumed: vCPU of clamd and rspamd for 75 KB. */
  scanSeconds: 0.3,
  /** Assumed: days in the bucket; most contents leave it within a minute, those in quarantine after weeks. */
  storedDays: 1,
} as const

/** Where one process scans and delivers: one GET, no wake-up and no lease for delivery. */
export const DELIVERED_BY_SCANNER = { s3Gets: 1, sqsRequests: 3, dynamodbWrites: 6 } as const

/** Of a stranger; of whom greylisting knows it is the read alone. */
export const GREYLISTED = { dynamodbWrites: 2, dynamodbReads: 1 } as const

/** Assumed: tasks that scan are this busy before another one is started. */
export const SCAN_UTILISATION = 0.5
/** Assumed: series that the collector of a task writes, one sample a minute each. */
export const SERIES_PER_TASK = 1_000
export const ALARMS = 16
export const SECRETS = 4
/** Receives that are held open, 20 seconds each, in each task that works on a queue. */
export const OPEN_RECEIVES = 3

export type Task = Readonly<{ cpu: number; memory: number; count: number }>

/** What stands there, from the settings of a stage. */
export type Footprint = Readonly<{
  ingress: Task
  scan: Task
  /** None where functions deliver, or the scanners do. */
  delivery?: Task
  deliveredByScanner?: boolean
  greylists?: boolean
  zones: number
  natGateways: number
  /** Interface endpoints, each in every zone. */
  endpoints: number
  valkey: boolean
  /** Whether mail leaves for a next hop on the internet, through NAT. */
  nextHop: 'internet' | 'vpc'
}>

/** Those that tasks without NAT need: registry (two), logs, secrets, queues, metrics. */
const INTERFACE_ENDPOINTS = 6

export function footprintOf(
  settings: Pick<DeploymentSettings, 'ingress' | 'scan' | 'delivery' | 'network' | 'cache' | 'gateway'>,
  nextHop: Footprint['nextHop'],
): Footprint {
  const { ingress, scan, delivery, network, cache, gateway } = settings
  const plugins = Array.isArray(gateway.plugins) ? (gateway.plugins as readonly Readonly<{ name?: string }>[]) : []
  const task = ({ cpu, memory, min }: DeploymentSettings['ingress']): Task => ({ cpu, memory, count: min })
  return {
    ingress: task(ingress),
    scan: task(scan.tasks),
    ...(delivery.runsOn === 'fargate' && { delivery: task(delivery.tasks) }),
    deliveredByScanner: delivery.runsOn === 'scanners',
    greylists: plugins.some(({ name }) => name === 'greylist'),
    zones: network.zones.length,
    natGateways: network.egress === 'nat' ? network.natGateways : 0,
    endpoints: network.egress === 'nat' ? 0 : INTERFACE_ENDPOINTS,
    valkey: cache === 'valkey',
    nextHop,
  }
}
