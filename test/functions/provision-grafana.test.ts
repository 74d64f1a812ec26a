// The custom resource against web servers in place of Amazon Managed Grafana's control plane, the workspace, S3 and
// CloudFormation: one deployment, the next one, a failure, the end.
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type { CustomResourceEvent } from '../../functions/provision-grafana/handler.ts'
import { handler } from '../../functions/provision-grafana/handler.ts'
import { dataSources, grafanaContent } from '../../monitoring/aws/grafana.ts'
import { AWS_SETTINGS } from '../../monitoring/aws/settings.ts'

type Body = Record<string, unknown> & { dashboard?: { uid: string } }
type Asked = { method: string; path: string; headers: IncomingHttpHeaders; body: Body }

const CONTENT = grafanaContent(AWS_SETTINGS)
const SOURCES = dataSources(AWS_SETTINGS, 'https://aps.example.com/workspaces/ws-1', 'eu-central-1')
let server: Server
let url: string
let asked: Asked[]
let there: Set<string>
let refuses: string | undefined

beforeAll(async () => {
  Object.assign(process.env, {
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_SESSION_TOKEN: 'session',
  })
  server = createServer(async (request, response) => {
    const { method = '', url: path = '', headers } = request
    const body = await text(request)
    asked.push({ method, path, headers, body: body === '' ? {} : JSON.parse(body) })
    const [status, answer] = answerTo(method, path)
    response.writeHead(status).end(JSON.stringify(answer))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
beforeEach(() => {
  asked = []
  there = new Set()
  refuses = undefined
})
afterAll(() => {
  server.close()
  server.closeAllConnections()
})

/** What the four of them would say. */
function answerTo(method: string, path: string): [number, object] {
  if (refuses !== undefined && path.includes(refuses)) return [403, { message: 'forbidden' }]
  if (path === '/content.json') return [200, CONTENT]
  if (path === '/cloudformation') return [200, {}]
  if (path === '/workspaces/g-1/serviceaccounts') {
    if (method === 'POST') there.add('account')
    const serviceAccounts = there.has('account') ? [{ id: '7', name: 'elemta-provisioning' }] : []
    return method === 'POST' ? [200, { id: '7' }] : [200, { serviceAccounts }]
  }
  if (path === '/workspaces/g-1/serviceaccounts/7/tokens')
    return [200, { serviceAccountToken: { id: '3', key: 'glsa_1' } }]
  if (path === '/workspaces/g-1/serviceaccounts/7/tokens/3') return [200, {}]
  if (method === 'GET') return there.has(path) ? [200, {}] : [404, {}]
  if (path === '/api/folders') there.add('/api/folders/elemta')
  if (path === '/api/datasources') for (const { uid } of SOURCES) there.add(`/api/datasources/uid/${uid}`)
  return [200, {}]
}

const event = (RequestType: CustomResourceEvent['RequestType']): CustomResourceEvent => ({
  RequestType,
  ResponseURL: `${url}/cloudformation`,
  StackId: 'stack',
  RequestId: 'request',
  LogicalResourceId: 'GrafanaContent',
  ResourceProperties: {
    workspaceId: 'g-1',
    grafanaService: url,
    workspaceUrl: url,
    contentUrl: `${url}/content.json`,
    dataSources: JSON.stringify(SOURCES),
  },
})
const calls = () => asked.map(({ method, path }) => `${method} ${path}`)
const told = () => asked.find(({ path }) => path === '/cloudformation')!.body

test('a first deployment makes everything, with a token that lives for minutes and is taken back', async () => {
  await handler(event('Create'))
  expect(told()).toEqual({
    Status: 'SUCCESS',
    Reason: 'done',
    StackId: 'stack',
    RequestId: 'request',
    LogicalResourceId: 'GrafanaContent',
    PhysicalResourceId: 'grafana-content-g-1',
  })
  expect(calls().filter(call => !call.endsWith('/api/dashboards/db'))).toEqual([
    'GET /content.json',
    'GET /workspaces/g-1/serviceaccounts',
    'POST /workspaces/g-1/serviceaccounts',
    'POST /workspaces/g-1/serviceaccounts/7/tokens',
    'GET /api/datasources/uid/elemta-prometheus',
    'POST /api/datasources',
    'GET /api/datasources/uid/elemta-alertmanager',
    'PUT /api/datasources/uid/elemta-alertmanager',
    'GET /api/datasources/uid/elemta-cloudwatch',
    'PUT /api/datasources/uid/elemta-cloudwatch',
    'GET /api/folders/elemta',
    'POST /api/folders',
    'DELETE /workspaces/g-1/serviceaccounts/7/tokens/3',
    'PUT /cloudformation',
  ])
  const boards = asked.filter(({ path }) => path === '/api/dashboards/db')
  expect(boards.map(({ body }) => body.dashboard?.uid)).toEqual(CONTENT.dashboards.map(({ uid }) => uid))
  expect(boards[0]!.body).toMatchObject({ overwrite: true, folderUid: 'elemta', dashboard: { id: null } })
  expect(boards[0]!.headers.authorization).toBe('Bearer glsa_1')
  expect(asked.find(({ path }) => path.endsWith('/tokens'))!.body.secondsToLive).toBe(600)
})

test('requests to AWS are signed, each for its service; the workspace only sees the token', async () => {
  await handler(event('Create'))
  const signed = (path: string) => asked.find(one => one.path === path)!.headers
  const scope = (service: string) =>
    new RegExp(`^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/\\d{8}/eu-central-1/${service}/aws4_request`)
  expect(signed('/content.json').authorization).toMatch(scope('s3'))
  expect(signed('/workspaces/g-1/serviceaccounts').authorization).toMatch(scope('grafana'))
  expect(signed('/content.json')['x-amz-security-token']).toBe('session')
  expect(signed('/cloudformation').authorization).toBeUndefined()
})

test('the next deployment writes over what the first one made', async () => {
  await handler(event('Create'))
  asked.length = 0
  await handler({ ...event('Update'), PhysicalResourceId: 'grafana-content-g-1' })
  expect(calls()).not.toContain('POST /workspaces/g-1/serviceaccounts')
  expect(calls()).not.toContain('POST /api/datasources')
  expect(calls()).toContain('PUT /api/datasources/uid/elemta-prometheus')
  expect(calls()).toContain('PUT /api/folders/elemta')
  expect(told()).toMatchObject({ Status: 'SUCCESS', PhysicalResourceId: 'grafana-content-g-1' })
})

test('a refusal fails the deployment with its reason; the token is taken back all the same', async () => {
  refuses = '/api/dashboards/db'
  const logged = vi.spyOn(console, 'error').mockImplementation(() => {})
  await handler(event('Create'))
  logged.mockRestore()
  expect(told()).toMatchObject({
    Status: 'FAILED',
    Reason: 'POST /api/dashboards/db of Grafana: 403 {"message":"forbidden"}',
  })
  expect(calls()).toContain('DELETE /workspaces/g-1/serviceaccounts/7/tokens/3')
})

test('a missing right in AWS fails it, too, and a token that cannot be taken back does not', async () => {
  const logged = vi.spyOn(console, 'error').mockImplementation(() => {})
  const warned = vi.spyOn(console, 'warn').mockImplementation(() => {})
  refuses = '/serviceaccounts/7/tokens'
  await handler(event('Create'))
  expect(told()).toMatchObject({ Status: 'FAILED', Reason: expect.stringContaining('of grafana: 403') })
  asked.length = 0
  refuses = '/tokens/3'
  await handler(event('Create'))
  expect(told()).toMatchObject({ Status: 'SUCCESS' })
  expect(warned).toHaveBeenCalledOnce()
  logged.mockRestore()
  warned.mockRestore()
})

test('the end is answered and touches nothing', async () => {
  await handler(event('Delete'))
  expect(calls()).toEqual(['PUT /cloudformation'])
})
