// Results for people: a line for each rate, and for one rate what is used of which quota.
import type { Usage } from './meter.ts'
import type { Result } from './simulation.ts'

const COLUMNS = [
  'msg/s',
  'tasks in/scan/out',
  'vCPU',
  'busiest rate',
  'share',
  'delivered/s',
  'accept p50/p99',
  'deliver p50/p99',
  '451',
  'waiting',
  'deferred',
  'failed',
  'S3+SQS+DynamoDB',
  'batch',
  'throttled',
  'conflicts',
] as const

/** A Markdown table. */
export function formatResults(results: readonly Result[]): string {
  return table([COLUMNS, ...results.map(row)])
}

/** What stands above a hundredth of its quota, the busiest first. */
export function formatUsages({ usages, rate }: Result): string {
  const rows = usages
    .filter(({ used, quota, refused }) => used / quota >= 0.01 || refused > 0)
    .map(one => [
      one.name,
      `${amount(one.used)} of ${amount(one.quota)} ${one.unit}`,
      share(one),
      bitesAt(one, rate),
      amount(one.refused),
    ])
  return table([['quota', 'used', 'share', 'bites at msg/s', 'refused'], ...rows])
}

function row(result: Result): string[] {
  const { rate, duration, tasks, usages, accept, deliver, refused, places, overdue, requests, batch, throttled } =
    result
  const busiest = usages.find(({ kind }) => kind === 'rate')
  const both = ({ p50, p99 }: Result['accept']) => `${time(p50)} / ${time(p99)}`
  return [
    amount(rate),
    `${tasks.ingress} / ${tasks.scan} / ${tasks.delivery}`,
    amount(result.vcpus),
    busiest?.name ?? '-',
    busiest === undefined ? '-' : share(busiest),
    amount(places.delivered / duration),
    both(accept),
    both(deliver),
    amount(refused.service + refused.pressure),
    amount(places.scan + places.delivery),
    overdue === 0 ? amount(places.deferred) : `${amount(places.deferred)}, ${amount(overdue)} overdue`,
    amount(places.failed),
    [requests.s3, requests.sqs, requests.dynamodb].map(count => count.toFixed(1)).join(' + '),
    batch.toFixed(1),
    amount(throttled.s3 + throttled.sqs + throttled.dynamodb),
    amount(throttled.conflicts),
  ]
}

const amount = (number: number) => Math.round(number).toLocaleString('en-US')
const share = ({ used, quota }: Usage) => `${amount((100 * used) / quota)} %`

/** The rate at which all of it would be used, two digits of it: what is used grows with the rate. */
function bitesAt({ used, quota }: Usage, rate: number): string {
  return used > 0 ? amount(Number(((rate * quota) / used).toPrecision(2))) : '-'
}

function time(milliseconds: number): string {
  if (milliseconds < 1000) return `${amount(milliseconds)} ms`
  return milliseconds < 100_000 ? `${(milliseconds / 1000).toFixed(1)} s` : `${amount(milliseconds / 60_000)} min`
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]!.length)))
  const line = (cells: readonly string[]) => `| ${cells.map((cell, n) => cell.padEnd(widths[n]!)).join(' | ')} |`
  const [head = [], ...others] = rows
  return [line(head), line(widths.map(width => '-'.repeat(width))), ...others.map(line)].join('\n')
}
