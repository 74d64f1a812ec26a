// What a month costs, line by line: units times price. Pure. Fixed is what is paid without a message; variable follows
// their number, but for compute, which only begins to when the tasks that stand there anyway are busy.
import { type PriceName, type Prices, priceOf } from '../../src/platform/prices.ts'
import {
  ALARMS,
  DELIVERED_BY_SCANNER,
  type Footprint,
  GB,
  GREYLISTED,
  HOURS_IN_MONTH,
  type Load,
  OPEN_RECEIVES,
  PER_MESSAGE,
  SCAN_UTILISATION,
  SECRETS,
  SERIES_PER_TASK,
  type Task,
} from './load.ts'

export type Line = Readonly<{
  kind: 'fixed' | 'variable'
  component: string
  price: PriceName
  /** Requests, GB, hours …: units of counting of the price. */
  units: number
  usd: number
}>

export function estimate(load: Load, footprint: Footprint, prices: Prices): Line[] {
  const line = (kind: Line['kind'], component: string, price: PriceName, units: number): Line[] =>
    units > 0 ? [{ kind, component, price, units, usd: priceOf(prices[price], units) }] : []
  return [...fixed(footprint, line), ...variable(load, footprint, line)]
}

type MakeLine = (kind: Line['kind'], component: string, price: PriceName, units: number) => Line[]

function fixed(footprint: Footprint, line: MakeLine): Line[] {
  const { ingress, scan, delivery, zones, natGateways, endpoints, valkey } = footprint
  const hours = HOURS_IN_MONTH
  const task = (name: string, { cpu, memory, count }: Task) => [
    ...line('fixed', `${name}, vCPU`, 'fargateCpu', (cpu / 1024) * count * hours),
    ...line('fixed', `${name}, memory`, 'fargateMemory', (memory / 1024) * count * hours),
  ]
  const tasks = ingress.count + scan.count + (delivery?.count ?? 0)
  const samples = tasks * SERIES_PER_TASK * 60 * hours
  const polls = (scan.count + (delivery?.count ?? 0)) * OPEN_RECEIVES * (3600 / 20) * hours
  return [
    ...line('fixed', 'Load balancer', 'nlbHour', hours),
    ...line('fixed', 'Public addresses', 'publicAddress', (zones + natGateways) * hours),
    ...line('fixed', 'NAT gateways', 'natHour', natGateways * hours),
    ...line('fixed', 'Interface endpoints', 'endpointHour', endpoints * zones * hours),
    ...task('SMTP servers', ingress),
    ...task('Scanners', scan),
    ...(delivery ? task('Delivery', delivery) : []),
    ...line('fixed', 'Valkey', 'valkey', valkey ? 1 : 0),
    ...line('fixed', 'Metrics', 'ampSamples', samples),
    ...line('fixed', 'Waiting for jobs', 'sqsRequest', polls),
    ...line('fixed', 'Secrets', 'secret', SECRETS),
    ...line('fixed', 'Alarms', 'alarm', ALARMS),
  ]
}

function variable({ messages, octets }: Load, footprint: Footprint, line: MakeLine): Line[] {
  const { scan, nextHop, natGateways } = footprint
  const volume = (messages * octets) / GB
  const each = { ...PER_MESSAGE, ...(footprint.deliveredByScanner && DELIVERED_BY_SCANNER) }
  // Whole tasks are started, but not for the whole month: the hours that the standing ones do not have.
  const standing = (scan.cpu / 1024) * scan.count * HOURS_IN_MONTH * SCAN_UTILISATION
  const needed = (messages * each.scanSeconds) / 3600
  const more = Math.max(0, needed - standing) / SCAN_UTILISATION
  const out = nextHop === 'internet' ? volume : 0
  const strangers = footprint.greylists ? messages : 0
  return [
    ...line('variable', 'Mail through the load balancer', 'nlbCapacity', volume),
    ...line('variable', 'Contents written', 's3Put', messages * each.s3Puts),
    ...line('variable', 'Contents read', 's3Get', messages * each.s3Gets),
    ...line('variable', 'Contents kept', 's3Storage', (volume * each.storedDays) / 30),
    ...line('variable', 'Wake-ups', 'sqsRequest', messages * each.sqsRequests),
    ...line('variable', 'Records written', 'dynamodbWrite', messages * each.dynamodbWrites),
    ...line('variable', 'Records read', 'dynamodbRead', messages * each.dynamodbReads),
    ...line('variable', 'Greylisting, written', 'dynamodbWrite', strangers * GREYLISTED.dynamodbWrites),
    ...line('variable', 'Greylisting, read', 'dynamodbRead', strangers * GREYLISTED.dynamodbReads),
    ...line('variable', 'Log', 'logs', (messages * each.logOctets) / GB),
    ...line('variable', 'More scanners, vCPU', 'fargateCpu', more),
    ...line('variable', 'More scanners, memory', 'fargateMemory', (more * scan.memory) / scan.cpu),
    ...line('variable', 'Mail through NAT', 'natData', natGateways > 0 ? out : 0),
    ...line('variable', 'Mail to the internet', 'egress', out),
  ]
}

export function total(lines: readonly Line[], kind?: Line['kind']): number {
  return lines.filter(line => kind === undefined || line.kind === kind).reduce((sum, { usd }) => sum + usd, 0)
}
