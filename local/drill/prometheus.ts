// A private Prometheus on 127.0.0.1 with the files it is given (`prometheus.yml` and what that names), and the questions
// asked of it. The first scrape may come seconds after the start: wait for a series, not only for readiness.
// A query that Prometheus refuses is an error with its words; one without a result is an empty list.
import { type PrivateServer, type PrivateServerOptions, startPrivateServer } from './private-server.ts'

export type Sample = { labels: Record<string, string>; value: number; time: number } // time: seconds since 1970
export type FiringState = 'pending' | 'firing'
export type PrometheusAlert = {
  labels: Record<string, string>
  annotations: Record<string, string>
  state: FiringState
  activeAt: string
}

export type Prometheus = PrivateServer & {
  /** The samples of an instant query, now or at `time` (seconds since 1970). A scalar is one sample without labels. */
  query(expression: string, time?: number): Promise<Sample[]>
  /** Pending and firing alerts. */
  alerts(): Promise<PrometheusAlert[]>
}

/** An alert that fired before Alertmanager was discovered, seconds after the start, is not sent again for a minute. */
const RESEND = '--rules.alert.resend-delay=5s'
const FLAGS = ['--web.enable-lifecycle', '--web.enable-remote-write-receiver', RESEND, '--log.level=warn']

/** Starts Prometheus; resolves once it is ready. Throws `MissingProgram` or `ChildFailed`. */
export async function startPrometheus(options: PrivateServerOptions): Promise<Prometheus> {
  const server = await startPrivateServer(
    {
      name: 'prometheus',
      program: 'prometheus',
      debianPackages: 'prometheus',
      configuration: 'prometheus.yml',
      args: ({ configuration, data, listen }) => [
        `--config.file=${configuration}`,
        `--storage.tsdb.path=${data}`,
        `--web.listen-address=${listen}`,
        ...FLAGS,
      ],
    },
    options,
  )
  return {
    ...server,
    query: (expression, time) => queryPrometheus(server.url, expression, time),
    alerts: async () => (await ask<{ alerts: PrometheusAlert[] }>(`${server.url}/api/v1/alerts`)).alerts,
  }
}

type Vector = { resultType: 'vector'; result: { metric: Record<string, string>; value: [number, string] }[] }
type Scalar = { resultType: 'scalar' | 'string'; result: [number, string] }
type Matrix = { resultType: 'matrix' }

/** An instant query to any Prometheus. Throws what it answers to a wrong expression. */
export async function queryPrometheus(url: string, expression: string, time?: number): Promise<Sample[]> {
  const parameters = new URLSearchParams({ query: expression, ...(time === undefined ? {} : { time: String(time) }) })
  const data = await ask<Vector | Scalar | Matrix>(`${url}/api/v1/query?${parameters}`)
  switch (data.resultType) {
    case 'vector':
      return data.result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]), time: value[0] }))
    case 'scalar':
    case 'string':
      return [{ labels: {}, value: Number(data.result[1]), time: data.result[0] }]
    case 'matrix':
      throw new Error(`expected an instant vector, not a range: ${expression}`)
  }
}

async function ask<Data>(url: string): Promise<Data> {
  const response = await fetch(url, { signal: AbortSignal.timeout(30_000) })
  const answer = (await response.json()) as { status: 'success'; data: Data } | { status: 'error'; error: string }
  if (answer.status === 'error') throw new Error(`Prometheus refused: ${answer.error}`)
  return answer.data
}
