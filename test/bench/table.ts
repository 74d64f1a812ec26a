// Comparisons as Markdown tables.
import { type Comparison, ratio, type Sample, type Spread, SUBJECT, spread } from './samples.ts'

export function comparisonTable({ title, samples, targets, notes, unit = 'msg' }: Comparison): string {
  const servers = [...new Set(samples.map(sample => sample.server))]
  const rows = servers.map(server => {
    const own = samples.filter(sample => sample.server === server)
    const pick = (of: (sample: Sample) => number | undefined) => spread(own.flatMap(sample => of(sample) ?? []))
    const target = targets.find(({ anchor }) => anchor === server)
    const times = ratio(samples, server)
    const verdict = target && !Number.isNaN(times.median) ? (times.median >= target.atLeast ? 'reached' : 'missed') : ''
    return [
      server,
      range(
        pick(sample => sample.rate),
        0,
      ),
      pick(sample => sample.cpu).median.toFixed(0),
      figure(pick(sample => sample.syncs).median, 2),
      figure(pick(sample => sample.p50).median, 1),
      figure(pick(sample => sample.p99).median, 1),
      server === SUBJECT ? '' : range(times, 2),
      target ? `≥ ${target.atLeast}: ${verdict}` : '',
      `${own.filter(sample => sample.disturbed).length} of ${own.length}`,
    ]
  })
  const head = [
    '',
    `${unit}/s`,
    `CPU µs/${unit}`,
    `syncs/${unit}`,
    'p50 ms',
    'p99 ms',
    `${SUBJECT} is … times`,
    'target',
    'disturbed',
  ]
  return [`### ${title}`, '', ...markdown(head, rows), '', ...notes.map(note => `- ${note}`), ''].join('\n')
}

/** A table without the columns in which nothing stands. */
export function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const filled = (column: number) => column === 0 || rows.some(row => row[column] !== '')
  const line = (cells: readonly string[]) => `| ${cells.filter((_, column) => filled(column)).join(' | ')} |`
  return [line(head), line(head.map((_, column) => (column === 0 ? '---' : '---:'))), ...rows.map(line)]
}

function range({ median, min, max }: Spread, digits: number): string {
  if (Number.isNaN(median)) return ''
  return `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`
}

const figure = (value: number, digits: number) => (Number.isNaN(value) ? '' : value.toFixed(digits))
