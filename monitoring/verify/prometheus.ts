// Questions to a Prometheus, whoever started it. An answer that is an error throws its words.
import { askJson } from './check.ts'

export type Sample = Readonly<{ labels: Readonly<Record<string, string>>; value: number }>

type Answer<Data> = { status: 'success'; data: Data } | { status: 'error'; error: string }

export async function askPrometheus<Data>(url: string, path: string, parameters?: Record<string, string>) {
  const init = parameters && { method: 'POST', body: new URLSearchParams(parameters) }
  const answer = (await askJson(`${url}${path}`, init)) as Answer<Data>
  if (answer.status === 'success') return answer.data
  throw new Error(`Prometheus refused ${path}: ${answer.error ?? 'it is no Prometheus'}`)
}

/** The samples of an instant query. */
export async function instantly(url: string, query: string): Promise<Sample[]> {
  type Vector = { result: { metric: Record<string, string>; value: [number, string] }[] }
  const { result } = await askPrometheus<Vector>(url, '/api/v1/query', { query })
  return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }))
}
