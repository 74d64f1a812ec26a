// The price sheet: what AWS asks, in US dollars, by list, without free tiers, discounts and taxes. Each price has its date
// and where it was read; `unverified` marks those that are common knowledge but were not read in AWS's own list. Prices
// change and differ by region: check them before anything depends on them, and replace them with `elemta cost --prices`.

export type Price = Readonly<{
  usd: number
  /** What is paid for: `1M requests`, `GB`, `hour`. */
  per: string
  /** Units of counting in one of `per`. */
  units: number
  asOf: string
  source: string
  unverified?: true
}>

const M = 1_000_000
const S3 = { asOf: '2026-09-30', source: 'AWS offer file, Amazon S3' } as const
const EC2 = { asOf: '2026-09-30', source: 'AWS offer file, Amazon EC2 and VPC' } as const
const SES = { asOf: '2026-07-22', source: 'AWS price list, Amazon SES' } as const
const COMMON = { asOf: '2026-11-22', source: 'commonly quoted', unverified: true } as const

/** Of us-east-1. */
export const PRICES = {
  s3Put: { usd: 5, per: '1M requests', units: M, ...S3 },
  s3Get: { usd: 0.4, per: '1M requests', units: M, ...S3 },
  s3Storage: { usd: 0.023, per: 'GB-month', units: 1, ...S3 },
  sqsRequest: { usd: 0.4, per: '1M requests', units: M, ...COMMON },
  dynamodbWrite: {
    usd: 0.625,
    per: '1M write units',
    units: M,
    asOf: '2026-09-13',
    source: 'AWS price list, DynamoDB',
  },
  dynamodbRead: { usd: 0.125, per: '1M read units', units: M, asOf: '2026-09-13', source: 'AWS price list, DynamoDB' },
  fargateCpu: { usd: 0.032384, per: 'vCPU-hour', units: 1, asOf: '2026-09-13', source: 'AWS price list, Fargate ARM' },
  fargateMemory: { usd: 0.003556, per: 'GB-hour', units: 1, asOf: '2026-09-13', source: 'AWS price list, Fargate ARM' },
  lambdaRequest: { usd: 0.2, per: '1M requests', units: M, asOf: '2026-09-13', source: 'AWS price list, Lambda ARM' },
  lambdaTime: {
    usd: 0.0000133334,
    per: 'GB-second',
    units: 1,
    asOf: '2026-09-13',
    source: 'AWS price list, Lambda ARM',
  },
  nlbHour: { usd: 0.0225, per: 'hour', units: 1, ...EC2 },
  nlbCapacity: { usd: 0.006, per: 'GB', units: 1, ...EC2 },
  natHour: { usd: 0.045, per: 'hour', units: 1, ...EC2 },
  natData: { usd: 0.045, per: 'GB', units: 1, ...EC2 },
  egress: { usd: 0.09, per: 'GB', units: 1, ...EC2 },
  publicAddress: { usd: 0.005, per: 'hour', units: 1, ...EC2 },
  endpointHour: { usd: 0.01, per: 'zone-hour', units: 1, ...EC2 },
  valkey: { usd: 6.13, per: 'month', units: 1, asOf: '2026-09-13', source: 'AWS price list, ElastiCache Serverless' },
  ampSamples: { usd: 0.9, per: '10M samples', units: 10 * M, asOf: '2026-09-13', source: 'Prometheus pricing page' },
  secret: { usd: 0.4, per: 'secret-month', units: 1, ...COMMON },
  alarm: { usd: 0.1, per: 'alarm-month', units: 1, ...COMMON },
  logs: { usd: 0.5, per: 'GB', units: 1, ...COMMON },
  sesReceive: { usd: 0.1, per: '1000 messages', units: 1000, ...SES },
  sesChunk: { usd: 0.09, per: '1000 chunks of 256 KB', units: 1000, ...SES },
  guardDutyObject: {
    usd: 0.215,
    per: '1000 objects',
    units: 1000,
    asOf: '2026-09-28',
    source: 'GuardDuty pricing page',
  },
  guardDutyData: { usd: 0.09, per: 'GB', units: 1, asOf: '2026-09-28', source: 'GuardDuty pricing page' },
  mailManagerEndpoint: { usd: 50, per: 'endpoint-month', units: 1, ...SES },
  mailManagerMessage: { usd: 0.15, per: '1000 messages', units: 1000, ...SES },
  mailManagerVirus: { usd: 0.1875, per: '1000 messages', units: 1000, ...SES },
  mailManagerSpam: { usd: 0.415, per: '1000 messages', units: 1000, ...SES },
  mailManagerDnsbl: { usd: 0.125, per: '1000 messages', units: 1000, ...SES },
} as const satisfies Record<string, Price>

export type PriceName = keyof typeof PRICES
export type Prices = Readonly<Record<PriceName, Price>>
export const PRICED_REGION = 'us-east-1'

/** Dollars for `count` units of counting: 1 is a request, a GB, an hour. */
export function priceOf(price: Price, count: number): number {
  return (count / price.units) * price.usd
}
