// Does Grafana know every dashboard, under its fixed address, and the data source? Where none runs that is a note: the
// panels' queries are checked against Prometheus in any case.
import { askJson, type Check, Unreachable } from './check.ts'
import { dashboardsBelow } from './sources.ts'

export type Grafana = Readonly<{
  url: string
  /** Somebody named it: then it must be there. */
  required: boolean
  user?: string
  password?: string | undefined
}>

const DATASOURCE = 'elemta-prometheus'

export async function checkGrafana(folder: string, { url, required, ...login }: Grafana): Promise<Check> {
  const name = 'grafana'
  const ask = (path: string) => askJson(`${url}${path}`, { headers: authorization(login), redirect: 'manual' })
  try {
    await ask('/api/health')
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error
    const text = `no Grafana at ${url}`
    return required
      ? { name, summary: text, problems: [`${error.message}: start it, or leave out --grafana`] }
      : { name, summary: `${text}: its dashboards were asked of Prometheus only`, problems: [] }
  }
  const boards = dashboardsBelow(folder)
  const problems: string[] = []
  for (const { uid = '', title = '' } of boards) {
    const answer = (await ask(`/api/dashboards/uid/${uid}`)) as { dashboard?: { uid?: string }; message?: string }
    if (answer.dashboard?.uid === uid) continue
    problems.push(`${title} (/d/${uid}) is not there: ${answer.message ?? 'no answer'}; ${advice(answer.message)}`)
  }
  const source = (await ask(`/api/datasources/uid/${DATASOURCE}`)) as { uid?: string; message?: string }
  if (source.uid !== DATASOURCE && !isForbidden(source.message)) {
    problems.push(`the data source ${DATASOURCE} is not there: mount grafana/provisioning, set PROMETHEUS_URL`)
  }
  const known = boards.length - problems.filter(problem => problem.includes('/d/')).length
  return { name, summary: `${known}/${boards.length} dashboards at ${url}`, problems }
}

function authorization({ user = 'admin', password }: Pick<Grafana, 'user' | 'password'>): Record<string, string> {
  if (password === undefined) return {}
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` }
}

/** A viewer may see dashboards and not data sources. */
const isForbidden = (message = '') => /permission|forbidden|access/i.test(message)

const advice = (message = '') =>
  /unauthori[sz]ed|invalid|password|permission/i.test(message)
    ? 'give its password by --grafana-password-file'
    : 'mount grafana/provisioning and grafana/dashboards, and start Grafana again'
