// The stand-in of grafana/grafana, of which there is no package: it draws nothing. It reads what a Grafana would be
// provisioned with (data sources and dashboards, with variables filled in), fails on what is not there or not JSON, and
// answers for it behind the same login: /api/health, /api/search, /api/dashboards/uid/UID, /api/datasources/uid/UID, and
// questions to data sources, passed on: /api/datasources/proxy/uid/UID/...
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { parse } from 'yaml'

const env = process.env
const provisioning = env.GF_PATHS_PROVISIONING ?? '/etc/grafana/provisioning'
const secret = name =>
  env[`${name}__FILE`] === undefined ? env[name] : readFileSync(env[`${name}__FILE`], 'utf8').trim()
const user = secret('GF_SECURITY_ADMIN_USER') ?? 'admin'
const password = secret('GF_SECURITY_ADMIN_PASSWORD') ?? 'admin'
const viewer = env.GF_AUTH_ANONYMOUS_ENABLED === 'true'
console.log('stand-in: not Grafana, but what it would be provisioned with')
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0))

const read = folder =>
  readdirSync(join(provisioning, folder))
    .filter(name => /\.ya?ml$/.test(name))
    .map(name => parse(filled(readFileSync(join(provisioning, folder, name), 'utf8'))))
const datasources = read('datasources').flatMap(({ datasources = [] }) => datasources)
const dashboards = read('dashboards')
  .flatMap(({ providers = [] }) => providers)
  .flatMap(({ options }) => below(options.path))
console.log(`stand-in: ${datasources.length} data sources, ${dashboards.length} dashboards`)

function filled(text) {
  return text.replace(/\$\{?(\w+)\}?/g, (_, name) => env[name] ?? '')
}

function below(folder) {
  return readdirSync(folder, { recursive: true })
    .filter(name => name.endsWith('.json'))
    .map(name => JSON.parse(readFileSync(join(folder, name), 'utf8')))
}

createServer(async ({ url, headers }, response) => {
  const { pathname, search } = new URL(url ?? '/', 'http://grafana')
  const json = (body, status = 200) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  if (pathname === '/api/health') return json({ database: 'ok', version: 'stand-in' })
  if (pathname === '/login' || pathname === '/') return response.end('A stand-in for Grafana.\n')
  const login = headers.authorization === `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
  if (!login && (!viewer || headers.authorization !== undefined)) return json({ message: 'Unauthorized' }, 401)
  const [, kind, uid, rest] =
    /^\/api\/(dashboards|datasources|datasources\/proxy)\/uid\/([^/]+)(.*)$/.exec(pathname) ?? []
  if (pathname === '/api/search') return json(dashboards.map(({ uid, title }) => ({ uid, title, type: 'dash-db' })))
  if (kind === 'dashboards') {
    const dashboard = dashboards.find(one => one.uid === uid)
    return dashboard ? json({ dashboard, meta: { provisioned: true } }) : json({ message: 'Dashboard not found' }, 404)
  }
  const source = datasources.find(one => one.uid === uid)
  if (kind === undefined || source === undefined) return json({ message: 'Not found' }, 404)
  if (kind === 'datasources') return login ? json(source) : json({ message: 'Permission denied' }, 403)
  const answer = await fetch(`${source.url}${rest}${search}`).catch(error => error)
  if (answer instanceof Error) return json({ message: String(answer) }, 502)
  response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text())
}).listen(Number(env.GF_SERVER_HTTP_PORT ?? 3000))
