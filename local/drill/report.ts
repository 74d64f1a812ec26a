// The matrix of a drill for people and for programs. Pure.
import { stripVTControlCharacters } from 'node:util'
import type { Row } from './prove.ts'

export const isGreen = ({ fired, routed, resolved, problems }: Row) =>
  fired && routed && resolved && problems.length === 0

/** `ScannerDown critical clamav` */
export function nameOf({ alert, severity, labels }: Pick<Row, 'alert' | 'severity' | 'labels'>): string {
  return [alert, severity, ...Object.values(labels)].join(' ')
}

const HEAD = ['alert', 'fired', 'routed to', 'resolved', 'seconds', 'after']

/** A line a row, and below it what went wrong; the last line counts. */
export function formatMatrix(rows: readonly Row[]): string {
  const lines = [HEAD, ...rows.map(cells)]
  const widths = HEAD.map((_, n) => Math.max(...lines.map(line => line[n]!.length)))
  const format = (line: readonly string[]) =>
    line
      .map((cell, n) => cell.padEnd(widths[n]!))
      .join('  ')
      .trimEnd()
  const body = rows.flatMap(row => [format(cells(row)), ...row.problems.map(problem => `    ${plain(problem)}`)])
  const red = rows.filter(row => !isGreen(row)).length
  return `${[format(HEAD), ...body].join('\n')}\n\n${rows.length - red} passed, ${red} failed\n`
}

function cells(row: Row): string[] {
  const yes = (is: boolean) => (is ? 'yes' : 'NO')
  const seconds = (value: number | undefined) => (value === undefined ? '-' : value.toFixed(1))
  return [
    nameOf(row),
    yes(row.fired),
    row.routed ? row.to.join(', ') || 'nobody' : 'NO',
    yes(row.resolved),
    seconds(row.detectSeconds),
    row.fault,
  ]
}

const plain = (text: string) => stripVTControlCharacters(text).replaceAll('\n', '\n    ')
