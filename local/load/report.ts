// The account of a load for people: one line a kind, then what was refused and why nobody answered. And the progress.
import type { Account, Tally } from './account.ts'
import type { Progress } from './run.ts'

const BAR = 24

export function progressLine({ part, sent, accepted, refused, unanswered, open }: Progress): string {
  const done = Math.round(part * BAR)
  const percent = `${Math.round(part * 100)}%`.padStart(4)
  const bar = `${'#'.repeat(done)}${'.'.repeat(BAR - done)}`
  return `[${bar}]${percent}  sent ${sent}, accepted ${accepted}, refused ${refused}, not answered ${unanswered}, open ${open}`
}

export function formatAccount({ kinds, imbalance, unexpected, ...all }: Account): string {
  const rows = [
    ['kind', 'sent', 'accepted', 'refused', 'no answer', 'p50 ms', 'p95 ms', 'p99 ms', 'max ms'],
    ...Object.entries(kinds).map(([kind, tally]) => rowOf(kind, tally)),
    rowOf('all', all),
  ]
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]!.length)))
  const table = rows.map(row => row.map((cell, n) => (n === 0 ? cell.padEnd(widths[n]!) : cell.padStart(widths[n]!))))
  const details = Object.entries(kinds).flatMap(([kind, { refused, unanswered }]) => [
    ...Object.entries(refused).map(([code, count]) => `${kind}: ${count} refused with ${code}`),
    ...Object.entries(unanswered).map(([why, count]) => `${kind}: ${count} not answered: ${why}`),
  ])
  const { sent, accepted } = all
  const [refused, unanswered] = [total(all.refused), total(all.unanswered)]
  const adds = imbalance === 0 ? '' : `: ${imbalance} are unaccounted for`
  const account = `sent ${sent} = accepted ${accepted} + refused ${refused} + not answered ${unanswered}${adds}`
  return [...table.map(row => row.join('  ')), ...details, account, ...unexpected].map(line => `${line}\n`).join('')
}

export function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}

function rowOf(name: string, { sent, accepted, refused, unanswered, latency }: Tally): string[] {
  const counts = [sent, accepted, total(refused), total(unanswered)].map(String)
  const times = latency === undefined ? ['-', '-', '-', '-'] : Object.values(latency).map(time => time.toFixed(1))
  return [name, ...counts, ...times]
}
