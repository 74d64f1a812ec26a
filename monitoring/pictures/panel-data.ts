// A panel's series from a Prometheus, over a time range, as Grafana would ask for them. An error of a query is the
// picture's error: a picture with a hole would tell something untrue.
import type { Dashboard, Panel } from '@grafana/grafana-foundation-sdk/dashboard'
import type { Dataquery } from '@grafana/grafana-foundation-sdk/prometheus'
import { fillIn } from '../panel-check.ts'

/** Seconds since 1970; `step` between two points. */
export type TimeRange = Readonly<{ from: number; to: number; step: number }>

/** `values[i]` belongs to `from + i * step`; null where there is none. */
export type Series = Readonly<{ name: string; labels: Readonly<Record<string, string>>; values: (number | null)[] }>

/** The series of all queries of a panel. */
export async function panelData(prometheusUrl: string, panel: Panel, range: TimeRange): Promise<Series[]> {
  const answers = await Promise.all(
    (panel.targets as Dataquery[]).map(async ({ expr, legendFormat = '' }) =>
      (await queryRange(prometheusUrl, expr, range)).map(({ metric, values }) => ({
        name: legend(legendFormat, metric),
        labels: metric,
        values: onGrid(values, range),
      })),
    ),
  )
  return answers.flat()
}

/** When the dashboard's annotations begin: their series appear. */
export async function annotationTimes(
  prometheusUrl: string,
  { annotations }: Dashboard,
  range: TimeRange,
): Promise<{ time: number; color: string }[]> {
  const colors: Readonly<Record<string, string>> = { blue: '#5794F2', purple: '#B877D9', orange: '#FF9830' }
  const marks = await Promise.all(
    (annotations?.list ?? []).map(async ({ expr = '', iconColor = '' }) =>
      (await queryRange(prometheusUrl, expr, range)).flatMap(({ values }) =>
        onGrid(values, range).flatMap((value, index, all) =>
          index > 0 && value !== null && all[index - 1] === null
            ? [{ time: range.from + index * range.step, color: colors[iconColor] ?? '#8e9099' }]
            : [],
        ),
      ),
    ),
  )
  return marks.flat()
}

/** The newest value of a series, as `lastNotNull` has it; NaN when there is none. */
export const lastOf = ({ values }: Series) => values.findLast(value => value !== null) ?? Number.NaN

type Matrix = { metric: Record<string, string>; values: [number, string][] }[]
type Answer = { status: 'success'; data: { result: Matrix } } | { status: 'error'; error: string }

async function queryRange(prometheusUrl: string, expr: string, { from, to, step }: TimeRange): Promise<Matrix> {
  const variables = { range: `${Math.round(to - from)}s`, rateInterval: `${Math.max(120, Math.ceil(2 * step))}s` }
  const response = await fetch(`${prometheusUrl.replace(/\/$/, '')}/api/v1/query_range`, {
    method: 'POST',
    body: new URLSearchParams({
      query: fillIn(expr, variables),
      start: String(from),
      end: String(to),
      step: String(step),
    }),
    signal: AbortSignal.timeout(60_000),
  })
  const answer = (await response.json()) as Answer
  if (answer.status === 'error') throw new Error(`${answer.error}: ${expr}`)
  return answer.data.result
}

function onGrid(values: readonly (readonly [number, string])[], { from, to, step }: TimeRange): (number | null)[] {
  const grid = new Array<number | null>(Math.floor((to - from) / step) + 1).fill(null)
  for (const [time, text] of values) {
    const value = Number(text)
    if (!Number.isNaN(value)) grid[Math.round((time - from) / step)] = value
  }
  return grid
}

const legend = (format: string, labels: Readonly<Record<string, string>>) =>
  format.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label: string) => labels[label] ?? '').trim()
