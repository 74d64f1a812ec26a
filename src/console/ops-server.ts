// The operator's port: /metrics for Prometheus and /metrics/clamav for what clamd says of itself, /healthz (the process
// lives) and /readyz (it can do its work), and /v1/… for those who may act.
// /readyz answers 503 as soon as one check fails, and always says which and why.
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Registry } from 'prom-client'
import { formatOpenMetrics, OPENMETRICS_TYPE, wantsOpenMetrics } from '../platform/openmetrics.ts'
import type { ApiAnswer } from './api.ts'

/** One line of /readyz. A warning is shown but does not make the answer 503. */
export type Check = Readonly<{ name: string; state: 'ok' | 'warning' | 'failed'; detail: string }>

export type OpsOptions = Readonly<{
  address: string
  port: number
  registry: Registry
  /** Brings gauges up to date before a scrape. */
  refresh: () => Promise<void>
  checks: () => Promise<readonly Check[]>
  /** What clamd says of itself now; undefined where mail is not scanned by it: there is no such page then. */
  clamd?: () => Promise<Registry> | undefined
  /** Answers what is below /v1/; without it there is nothing there. */
  api?: (request: IncomingMessage, path: string) => Promise<ApiAnswer>
}>

export type OpsServer = Readonly<{ port: number; close(): Promise<void> }>

type Page = Readonly<{ status: number; type: string; body: string }>

/** All of a registry, as OpenMetrics where the request asks for that. */
export async function metricsPage(registry: Registry, { headers }: Pick<IncomingMessage, 'headers'>): Promise<Page> {
  if (wantsOpenMetrics(headers.accept)) {
    return { status: 200, type: OPENMETRICS_TYPE, body: await formatOpenMetrics(registry) }
  }
  return { status: 200, type: registry.contentType, body: await registry.metrics() }
}

/** Resolves when the port is bound; rejects with the system's error (EADDRINUSE, EACCES …). */
export async function startOpsServer(options: OpsOptions): Promise<OpsServer> {
  const { address, port, registry, refresh, checks, clamd, api } = options
  const server = pagesServer(answer)

  async function answer(request: IncomingMessage, path: string): Promise<Page> {
    if (api !== undefined && path.startsWith('/v1/')) {
      const { status, body } = await api(request, path).catch(error => ({
        status: 500,
        body: { error: String(error) },
      }))
      return { status, type: 'application/json', body: `${JSON.stringify(body)}\n` }
    }
    switch (path) {
      case '/metrics':
        await refresh()
        return await metricsPage(registry, request)
      case '/metrics/clamav': {
        const asked = clamd?.()
        if (asked === undefined) return { status: 404, type: 'text/plain', body: 'no clamd is asked here\n' }
        return await metricsPage(await asked, request)
      }
      case '/healthz':
        return { status: 200, type: 'text/plain', body: 'ok\n' }
      case '/readyz': {
        const all = await checks()
        const ready = all.every(({ state }) => state !== 'failed')
        const body = `${JSON.stringify({ ready, checks: all }, undefined, 2)}\n`
        return { status: ready ? 200 : 503, type: 'application/json', body }
      }
      default:
        return { status: 404, type: 'text/plain', body: 'try /metrics, /healthz or /readyz\n' }
    }
  }

  return await listening(server, address, port)
}

/** A port with /metrics and nothing else, for an exporter: each scrape makes its registry anew. Rejects as the above. */
export function startMetricsServer({
  address,
  port,
  scrape,
}: Pick<OpsOptions, 'address' | 'port'> & Readonly<{ scrape: () => Promise<Registry> }>): Promise<OpsServer> {
  const server = pagesServer(async (request, path) =>
    path === '/metrics' ? metricsPage(await scrape(), request) : nowhere,
  )
  return listening(server, address, port)
}

const nowhere: Page = { status: 404, type: 'text/plain', body: 'try /metrics\n' }

/** A fault behind a page is a 500 for that page. */
function pagesServer(answer: (request: IncomingMessage, path: string) => Promise<Page>): Server {
  return createServer((request, response) => {
    answer(request, request.url?.split('?')[0] ?? '/')
      .catch((error: unknown) => ({ status: 500, type: 'text/plain', body: `${String(error)}\n` }))
      .then(({ status, type, body }) => response.writeHead(status, { 'content-type': type }).end(body))
      .catch(() => response.destroy())
  })
}

async function listening(server: Server, address: string, port: number): Promise<OpsServer> {
  await listen(server, address, port)
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.closeAllConnections()
      return new Promise(resolve => server.close(() => resolve()))
    },
  }
}

function listen(server: Server, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, address, () => {
      server.off('error', reject)
      resolve()
    })
  })
}
