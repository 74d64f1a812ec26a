// A private Alertmanager on 127.0.0.1 with the files it is given (`alertmanager.yml`, templates), alone: no cluster port
// is opened. Alerts can be handed to it directly, as Prometheus does; what it refuses is an error with its words.
import { type PrivateServer, type PrivateServerOptions, startPrivateServer } from './private-server.ts'

export type PostedAlert = {
  labels: Record<string, string>
  annotations?: Record<string, string>
  generatorURL?: string
  startsAt?: string
  endsAt?: string // in the past: resolved
}

export type AlertmanagerAlert = {
  labels: Record<string, string>
  annotations: Record<string, string>
  receivers: { name: string }[]
  status: { state: 'unprocessed' | 'active' | 'suppressed'; inhibitedBy: string[]; silencedBy: string[] }
}

export type Alertmanager = PrivateServer & {
  post(alerts: readonly PostedAlert[]): Promise<void>
  alerts(): Promise<AlertmanagerAlert[]>
}

/** Starts Alertmanager; resolves once it is ready. Throws `MissingProgram` or `ChildFailed`. */
export async function startAlertmanager(options: PrivateServerOptions): Promise<Alertmanager> {
  const server = await startPrivateServer(
    {
      name: 'alertmanager',
      program: 'prometheus-alertmanager', // Debian's name for it
      debianPackages: 'prometheus-alertmanager',
      configuration: 'alertmanager.yml',
      args: ({ configuration, data, listen }) => [
        `--config.file=${configuration}`,
        `--storage.path=${data}`,
        `--web.listen-address=${listen}`,
        '--cluster.listen-address=',
        '--log.level=warn',
      ],
    },
    options,
  )
  const url = `${server.url}/api/v2/alerts`
  return {
    ...server,
    async post(alerts) {
      const headers = { 'content-type': 'application/json' }
      const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(alerts) })
      if (!response.ok) throw new Error(`Alertmanager refused the alerts: ${await response.text()}`)
    },
    async alerts() {
      return (await (await fetch(url)).json()) as AlertmanagerAlert[]
    },
  }
}
