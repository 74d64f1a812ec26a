// Puts data sources, folder and dashboards into a Grafana by its HTTP API, so that doing it twice is doing it once: each is
// found by its uid and written anew. What people have made beside these is left alone. Throws at the first refusal, with
// Grafana's answer.
import type { DataSource, GrafanaContent } from '../../monitoring/aws/grafana.ts'

export type Grafana = Readonly<{ url: string; token: string }>
export type Content = Readonly<{
  dataSources: readonly DataSource[]
  folder: GrafanaContent['folder']
  dashboards: readonly Readonly<{ uid?: string | undefined }>[]
}>

export async function provision(grafana: Grafana, { dataSources, folder, dashboards }: Content): Promise<void> {
  for (const source of dataSources) await putDataSource(grafana, source)
  await putFolder(grafana, folder)
  for (const dashboard of dashboards) {
    // An id belongs to one Grafana only; the uid is the same in all.
    const body = {
      dashboard: { ...dashboard, id: null },
      folderUid: folder.uid,
      overwrite: true,
      message: 'Deployment',
    }
    await ask(grafana, 'POST', '/api/dashboards/db', body)
  }
}

async function putDataSource(grafana: Grafana, source: DataSource): Promise<void> {
  const path = `/api/datasources/uid/${source.uid}`
  const isThere = await exists(grafana, path)
  await (isThere ? ask(grafana, 'PUT', path, source) : ask(grafana, 'POST', '/api/datasources', source))
}

async function putFolder(grafana: Grafana, { uid, title }: Content['folder']): Promise<void> {
  const path = `/api/folders/${uid}`
  const isThere = await exists(grafana, path)
  await (isThere
    ? ask(grafana, 'PUT', path, { title, overwrite: true })
    : ask(grafana, 'POST', '/api/folders', { uid, title }))
}

async function exists(grafana: Grafana, path: string): Promise<boolean> {
  const response = await request(grafana, 'GET', path)
  await response.text()
  if (response.ok || response.status === 404) return response.ok
  throw new Error(`GET ${path} of Grafana: ${response.status}`)
}

async function ask(grafana: Grafana, method: 'POST' | 'PUT', path: string, body: object): Promise<void> {
  const response = await request(grafana, method, path, body)
  const answer = await response.text()
  if (!response.ok) throw new Error(`${method} ${path} of Grafana: ${response.status} ${answer.slice(0, 300)}`)
}

function request({ url, token }: Grafana, method: string, path: string, body?: object): Promise<Response> {
  return fetch(`${url}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(30_000),
  })
}
