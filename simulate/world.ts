// What all parts of a simulation share: time, chance, the services, the messages by where they are, and the settings of
// the stage with the configuration that its tasks would read.
import type { DeploymentSettings } from '../lib/deployment-settings.ts'
import type { Clock } from './clock.ts'
import type { DynamoDb } from './dynamodb.ts'
import type { Steps } from './dynamodb-steps.ts'
import type { Histogram } from './histogram.ts'
import type { Chance } from './random.ts'
import type { S3 } from './s3.ts'
import type { Latencies, Quotas } from './services.ts'
import type { Queue } from './sqs.ts'

/** Where an accepted message is. Every one is in exactly one place. */
export const PLACES = ['scan', 'delivery', 'deferred', 'delivered', 'failed'] as const
export type Place = (typeof PLACES)[number]

export type Message = {
  /** Milliseconds: of the client's final dot. */
  readonly begun: number
  /** 0 to below 1: where its keys are. */
  readonly at: number
  acceptedAt: number
  place: Place
  /** Of the delivery. */
  attempt: number
}

export type Census = Readonly<{
  counts: Readonly<Record<Place, number>>
  accept(message: Message): void
  move(message: Message, to: Place): void
  accepted(): number
}>

export function createCensus(): Census {
  const counts: Record<Place, number> = { scan: 0, delivery: 0, deferred: 0, delivered: 0, failed: 0 }
  let accepted = 0
  return {
    counts,
    accepted: () => accepted,
    accept(message) {
      accepted++
      counts[message.place]++
    },
    move(message, to) {
      counts[message.place]--
      counts[to]++
      message.place = to
    },
  }
}

/** What the configuration says, of what matters here; times in milliseconds. */
export type GatewayTimes = Readonly<{
  scanConcurrency: number
  deliveryConcurrency: number
  retryDelays: readonly number[]
  lifetime: number
  /** Messages in all queues beyond which clients hear 451. */
  mostQueued: number
}>

export type World = Readonly<{
  clock: Clock
  chance: Chance
  quotas: Quotas
  latencies: Latencies
  settings: DeploymentSettings
  gateway: GatewayTimes
  steps: Steps
  dynamodb: DynamoDb
  s3: S3
  scans: Queue<Message>
  deliveries: Queue<Message>
  /** Connections to next hops: how many there are, and were at most. */
  nextHops: { now: number; most: number }
  census: Census
  accepting: Histogram
  delivering: Histogram
  /** The share of attempts that the next hop defers. */
  deferred: number
  /** Milliseconds of one vCPU for one message. */
  processorTime: Readonly<{ ingress: number; scan: number; delivery: number }>
}>
