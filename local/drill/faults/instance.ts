// Faults of what is watched and of who watches: the gateway itself, its metrics, the exporters.
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Fault } from '../fault.ts'

/** Two scrapes, so that each start has been seen. */
const SEEN = 2_500
const nothing = async () => {}

export const INSTANCE_FAULTS: readonly Fault[] = [
  {
    what: 'the gateway is killed',
    stack: 'instance',
    proves: [{ alert: 'ElemtaDown', severity: 'critical' }],
    inject: ({ gateway }) => gateway.stop('SIGKILL'),
    heal: ({ gateway }) => gateway.start(),
  },
  {
    what: 'the gateway’s metrics lack those of the queue',
    stack: 'instance',
    proves: [{ alert: 'MetricsAbsent', severity: 'warning', labels: { metric: 'elemta_queue_size' } }],
    async inject(stack) {
      const address = await startWithout('elemta_queue_size', `http://127.0.0.1:${stack.gateway.ports.ops}/metrics`)
      await stack.scrape({ elemta: address })
    },
    async heal(stack) {
      await stack.scrape({ elemta: `127.0.0.1:${stack.gateway.ports.ops}` })
      await stopWithout()
    },
  },
  {
    what: 'the port of rspamd’s metrics is closed',
    stack: 'instance',
    proves: [{ alert: 'ExporterDown', severity: 'warning' }],
    inject: ({ rspamdMetrics }) => rspamdMetrics.close(),
    heal: ({ rspamdMetrics }) => rspamdMetrics.open(),
  },
  {
    what: 'the gateway starts again and again',
    stack: 'instance',
    proves: [{ alert: 'RestartLoop', severity: 'critical' }],
    async inject(stack) {
      stack.repeat(SEEN, () => stack.gateway.restart())
    },
    heal: nothing,
  },
  {
    what: 'the configuration is broken, and SIGHUP is sent',
    stack: 'instance',
    proves: [{ alert: 'ReloadFailed', severity: 'warning' }],
    async inject({ gateway }) {
      gateway.configure({ text: 'listeners: [{ port: smtp }]\n' })
      gateway.hangUp()
    },
    async heal({ gateway }) {
      gateway.configure({})
      gateway.hangUp()
    },
  },
]

let server: Server | undefined

/** Serves the metrics at `url` but for those of this name; its address. */
async function startWithout(metric: string, url: string): Promise<string> {
  server = createServer(async (_, response) => {
    const text = await fetch(url).then(
      found => found.text(),
      () => undefined,
    )
    if (text === undefined) return void response.destroy()
    const lines = text.split('\n').filter(line => !line.includes(metric))
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(lines.join('\n'))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function stopWithout(): Promise<void> {
  if (server === undefined) return
  server.close()
  server.closeAllConnections()
  await once(server, 'close')
  server = undefined
}
