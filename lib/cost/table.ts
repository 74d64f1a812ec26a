// The estimate for people: a table of what a month costs, beside what else there is.
import type { Prices } from '../../src/platform/prices.ts'
import type { Alternative } from './alternatives.ts'
import { type Line, total } from './estimate.ts'
import type { Load } from './load.ts'

export type Report = Readonly<{
  load: Load
  region: string
  lines: readonly Line[]
  alternatives: readonly (Alternative & Readonly<{ breakEven: number | undefined }>)[]
}>

export function formatReport({ load, region, lines, alternatives }: Report, prices: Prices): string {
  const row = ({ component, price, units, usd }: Line): string[] => {
    const { usd: unit, per } = prices[price]
    return [component, `$${unit} / ${per}`, quantity(units), dollars(usd)]
  }
  const sum = (name: string, usd: number) => [name, '', '', dollars(usd)]
  const part = (kind: Line['kind'], name: string) => [
    ...lines.filter(line => line.kind === kind).map(row),
    sum(name, total(lines, kind)),
    [],
  ]
  const perThousand = load.messages > 0 ? `$${dollars((total(lines) / load.messages) * 1000)} for 1000 messages` : ''
  const dates = lines.map(({ price }) => prices[price].asOf).sort()
  return [
    `${quantity(load.messages)} messages of ${quantity(load.octets)} octets a month, ${region}, list prices of ${dates[0]} to ${dates.at(-1)}`,
    '',
    ...columns([
      ['component', 'unit price', 'units', '$ a month'],
      [],
      ...part('fixed', 'Fixed'),
      ...part('variable', 'Variable'),
      sum('Total', total(lines)),
    ]),
    perThousand,
    unverifiedText(lines, prices),
    '',
    ...columns([
      ['instead', '', 'Elemta costs less from', '$ a month'],
      [],
      ...alternatives.map(({ name, usd, breakEven }) => [name, '', breakEvenText(breakEven), dollars(usd)]),
    ]),
    '',
  ]
    .filter((text, n, all) => text !== '' || all[n - 1] !== '')
    .join('\n')
}

/** Which prices were not read in AWS's own list. */
function unverifiedText(lines: readonly Line[], prices: Prices): string {
  const names = new Set(lines.filter(({ price }) => prices[price].unverified).map(({ price }) => price))
  return names.size === 0 ? '' : `Not read in AWS’s own list: ${[...names].join(', ')}`
}

function breakEvenText(messages: number | undefined): string {
  return messages === undefined ? 'never' : `${quantity(messages)} messages`
}

/** Two decimals, or as many digits as it takes to be something. */
function dollars(usd: number): string {
  return usd === 0 || usd >= 0.005 ? usd.toFixed(2) : usd.toPrecision(1)
}

function quantity(count: number): string {
  return count.toLocaleString('en', { maximumFractionDigits: count < 100 ? 2 : 0 })
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = [0, 1, 2, 3].map(n => Math.max(...rows.map(row => (row[n] ?? '').length)))
  return rows.map(row =>
    row.length === 0
      ? '-'.repeat(widths.reduce((sum, width) => sum + width + 2, -2))
      : row.map((cell, n) => (n < 2 ? cell.padEnd(widths[n]!) : cell.padStart(widths[n]!))).join('  '),
  )
}
