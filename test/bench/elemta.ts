// Elemta itself, started as its owner would: `bin/elemta.ts serve` with a configuration file. Only the limits per
// client are raised (all load comes from one address), and the log is as quiet as that of the others.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, start, temporaryDirectory, untilAnswering } from './program.ts'
import { DOMAIN, HOSTNAME, type Place, type Server } from './server.ts'

const PROGRAM = join(import.meta.dirname, '../../bin/elemta.ts')

export type ElemtaMode =
  /** The ingress alone: messages stay queued for scanning. */
  | Readonly<{ kind: 'accept' }>
  /** Everything in one process: scanned by these, delivered to a next hop on this machine. */
  | Readonly<{ kind: 'scan'; clamav: number; rspamd: number; nextHop: number }>

export type Elemta = Server & Readonly<{ metricsUrl: string; metric(name: string): Promise<number> }>

type Listener = Readonly<{ address: string; port: number; mode: string }>
/** Laid over the configuration, key by key; listeners and plugins come besides those that are always there. */
type Changes = Readonly<
  { listeners?: readonly Listener[]; plugins?: readonly Readonly<Record<string, unknown>>[] } & Record<string, unknown>
>

export async function startElemta(
  mode: ElemtaMode,
  { directory, environment = {} }: Place,
  { listeners = [], plugins = [], ...changes }: Changes = {},
): Promise<Elemta> {
  const root = temporaryDirectory(directory)
  const [port, ops] = [await freePort(), await freePort()]
  const nextHop = mode.kind === 'scan' ? `smtp://127.0.0.1:${mode.nextHop}` : `maildir:${root}/maildir`
  const scanner = (name: string, scannerPort: number) => ({
    name,
    config: { host: '127.0.0.1', port: scannerPort, managed: false },
  })
  const scanners = mode.kind === 'scan' ? [scanner('clamav', mode.clamav), scanner('rspamd', mode.rspamd)] : []
  const config = {
    hostname: HOSTNAME,
    data_dir: join(root, 'data'),
    listeners: [{ address: '127.0.0.1', port, mode: 'mx' }, ...listeners],
    ops: { address: '127.0.0.1', port: ops },
    relay: { domains: [DOMAIN], networks: [] },
    limits: { message_size: '26MB', connections: 3000, connections_per_client: 3000 },
    routes: [{ domains: ['*'], to: nextHop }],
    log: { level: 'warn' },
    ...changes,
    plugins: [...scanners, ...plugins],
  }
  const file = join(root, 'elemta.yaml')
  writeFileSync(file, JSON.stringify(config)) // JSON is YAML
  const log = join(root, 'log')
  const metricsUrl = `http://127.0.0.1:${ops}/metrics`
  const role = mode.kind === 'accept' ? ['--role', 'ingress'] : []
  const args = [PROGRAM, 'serve', '--config', file, ...role]
  const program = start('elemta', process.execPath, args, { cwd: root, env: environment, log })
  await untilAnswering(port, { greeting: '220', log })
  return {
    name: 'Elemta',
    port,
    pids: [program.pid],
    stop: program.stop,
    metricsUrl,
    async metric(name) {
      const response = await fetch(metricsUrl)
      const line = (await response.text()).split('\n').find(text => text.startsWith(`${name} `))
      if (line === undefined) throw new Error(`/metrics has no ${name}`)
      return Number(line.slice(name.length + 1))
    },
  }
}
