// Does every panel show something? Takes the queries of the dashboards, fills in the variables as Grafana would, and asks
// a Prometheus. A panel query may be refused (error), have nothing (empty), or, for baselines of the last seven days,
// nothing yet. A series of nothing but NaN counts as empty: a quantile of no observations draws no line.
import type { Dashboard, Panel, RowPanel } from '@grafana/grafana-foundation-sdk/dashboard'
import type { Dataquery } from '@grafana/grafana-foundation-sdk/prometheus'

export type PanelQuery = Readonly<{
  dashboard: string
  panel: string
  panelId: number
  refId: string
  /** As Grafana has it, variables unfilled. */
  expr: string
}>

export type QueryState = 'data' | 'empty' | 'too-young' | 'error'
export type CheckedQuery = PanelQuery & Readonly<{ state: QueryState; series: number; detail: string }>

/** What stands in for Grafana's variables. */
export type Variables = Readonly<{ instance?: string; route?: string; range?: string; rateInterval?: string }>

/** Every query of every panel, in order. */
export function panelQueries(dashboards: readonly Dashboard[]): PanelQuery[] {
  return dashboards.flatMap(({ uid = '', panels = [] }) =>
    panels.filter(isPanel).flatMap(panel =>
      (panel.targets ?? []).map(target => {
        const { refId = '', expr } = target as Dataquery
        return { dashboard: uid, panel: panel.title ?? '', panelId: panel.id ?? 0, refId, expr }
      }),
    ),
  )
}

export const isPanel = (panel: Panel | RowPanel): panel is Panel => panel.type !== 'row'

/** The expression as Grafana sends it; "All" is the default, as it is on a dashboard just opened. */
export function fillIn(expr: string, { instance, route, range, rateInterval }: Variables = {}): string {
  return expr
    .replaceAll('$instance', instance ?? '.*')
    .replaceAll('$route', route ?? '.*')
    .replaceAll('$__rate_interval', rateInterval ?? '2m')
    .replaceAll('$__range', range ?? '1h')
    .replaceAll('$__interval', rateInterval ?? '2m')
}

/** Asks `prometheusUrl` each query at `time` (seconds since 1970; now). Rejects only when it cannot be reached. */
export async function checkPanels(
  prometheusUrl: string,
  queries: readonly PanelQuery[],
  { time, ...variables }: Variables & Readonly<{ time?: number }> = {},
): Promise<CheckedQuery[]> {
  const ask = async (query: PanelQuery): Promise<CheckedQuery> => {
    const parameters = new URLSearchParams({ query: fillIn(query.expr, variables) })
    if (time !== undefined) parameters.set('time', String(time))
    const response = await fetch(`${prometheusUrl.replace(/\/$/, '')}/api/v1/query`, {
      method: 'POST',
      body: parameters,
      signal: AbortSignal.timeout(30_000),
    })
    return { ...query, ...judge((await response.json()) as Answer, query.expr) }
  }
  const checked: CheckedQuery[] = []
  for (let next = 0; next < queries.length; next += AT_ONCE) {
    checked.push(...(await Promise.all(queries.slice(next, next + AT_ONCE).map(ask))))
  }
  return checked
}

/** Prometheus works on 20 at the same time, unless told otherwise. */
const AT_ONCE = 10

/** Needs days of history: says nothing in the first week, and that is no fault. */
const BASELINE = /:(mean|stddev|zscore)7d\b/

type Answer =
  | { status: 'success'; data: { result: { value: [number, string] }[] } }
  | { status: 'error'; error: string; errorType: string }

function judge(answer: Answer, expr: string): Pick<CheckedQuery, 'state' | 'series' | 'detail'> {
  if (answer.status === 'error') return { state: 'error', series: 0, detail: `${answer.errorType}: ${answer.error}` }
  const series = answer.data.result.filter(({ value }) => !Number.isNaN(Number(value[1]))).length
  if (series > 0) return { state: 'data', series, detail: `${series} series` }
  if (BASELINE.test(expr)) return { state: 'too-young', series, detail: 'the baseline needs some days of history' }
  return { state: 'empty', series, detail: answer.data.result.length > 0 ? 'only NaN' : 'no series' }
}
