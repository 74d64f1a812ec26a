// The operator's port, asked as Prometheus and a load balancer ask it.
import { connect } from 'node:net'
import { Gauge, Registry } from 'prom-client'
import { expect, onTestFinished, test } from 'vitest'
import { type Check, type OpsOptions, startOpsServer } from '../../src/console/ops-server.ts'
import { createMetrics } from '../../src/platform/metrics.ts'

async function start(options: Partial<OpsOptions> = {}) {
  const { registry } = createMetrics()
  const server = await startOpsServer({
    address: '127.0.0.1',
    port: 0,
    registry,
    refresh: async () => {},
    checks: async () => [],
    ...options,
  })
  onTestFinished(() => server.close())
  const url = (path: string) => `http://127.0.0.1:${server.port}${path}`
  return { ...server, get: (path: string, headers: Record<string, string> = {}) => fetch(url(path), { headers }) }
}

test('/metrics is what Prometheus reads, refreshed before each scrape', async () => {
  const metrics = createMetrics()
  let scrapes = 0
  const { get } = await start({
    registry: metrics.registry,
    refresh: async () => metrics.queueSize.set('held', ++scrapes),
  })
  await get('/metrics')
  const response = await get('/metrics?by=prometheus')
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
  expect(await response.text()).toContain('\nelemta_queue_size{queue_type="held"} 2\n')
})

test('/metrics is OpenMetrics for who asks for it, and plain text for others at the same time', async () => {
  const { get } = await start()
  const scrapes = Array.from({ length: 20 }, async (_, n) => {
    const open = n % 2 === 0
    const response = await get('/metrics', open ? { accept: 'application/openmetrics-text;version=1.0.0' } : {})
    return { open, type: response.headers.get('content-type'), text: await response.text() }
  })
  for (const { open, type, text } of await Promise.all(scrapes)) {
    expect(type).toMatch(open ? /^application\/openmetrics-text; version=1\.0\.0/ : /^text\/plain; version=0\.0\.4/)
    expect(text.endsWith('# EOF\n')).toBe(open)
    expect(text).toContain(`# TYPE elemta_connections${open ? '' : '_total'} counter\n`)
    expect(text).toContain('\nelemta_connections_total 0\n')
  }
})

test('/metrics/clamav is what clamd says of itself, and not there where none is asked', async () => {
  const { get } = await start()
  expect((await get('/metrics/clamav')).status).toBe(404)
  const registry = new Registry()
  new Gauge({ name: 'clamav_up', help: 'Up', registers: [registry] }).set(1)
  const asking = await start({ clamd: async () => registry })
  expect(await (await asking.get('/metrics/clamav')).text()).toContain('\nclamav_up 1\n')
  const open = await asking.get('/metrics/clamav', { accept: 'application/openmetrics-text' })
  expect(await open.text()).toContain('\nclamav_up 1\n# EOF\n')
})

test('/healthz lives, whatever the checks say', async () => {
  const { get } = await start({ checks: async () => [{ name: 'clamav', state: 'failed', detail: 'gone' }] })
  expect((await get('/healthz')).status).toBe(200)
})

test.each<[status: number, states: Check['state'][]]>([
  [200, []],
  [200, ['ok', 'ok']],
  [200, ['ok', 'warning']],
  [503, ['ok', 'failed', 'warning']],
])('/readyz answers %i for %j, and says which', async (status, states) => {
  const checks = states.map((state, n) => ({ name: `check-${n}`, state, detail: `because ${n}` }))
  const { get } = await start({ checks: async () => checks })
  const response = await get('/readyz')
  expect(response.status).toBe(status)
  expect(await response.json()).toEqual({ ready: status === 200, checks })
})

test('a fault behind a page is a 500 for that page, and the port goes on', async () => {
  const { get } = await start({ refresh: () => Promise.reject(new Error('the spool is closed')) })
  expect((await get('/metrics')).status).toBe(500)
  expect((await get('/healthz')).status).toBe(200)
  expect((await get('/nowhere')).status).toBe(404)
})

test('nonsense instead of HTTP and clients that hang up do no harm', async () => {
  const { port, get } = await start()
  const socket = connect(port, '127.0.0.1')
  socket.end('\0\r\n\r\nEHLO\r\n\r\n')
  await new Promise(resolve =>
    socket
      .resume()
      .on('close', resolve)
      .on('error', () => {}),
  )
  connect(port, '127.0.0.1').destroy()
  expect((await get('/healthz')).status).toBe(200)
})

test('a port in use rejects with the code of the system; closing waits for no client', async () => {
  const first = await start()
  await expect(start({ port: first.port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  connect(first.port, '127.0.0.1').on('error', () => {})
  await first.get('/healthz')
  await first.close()
  await expect(first.get('/healthz')).rejects.toThrow()
})
