// Debian's Prometheus and Alertmanager beside a gateway, for machines without containers: children of ours with a copy of
// the site's files, since their own account may not read the gateway's data directory. What changes in the site's folder
// is handed on and read anew; what they refuse is told, and they go on with what they had.
import { createHash } from 'node:crypto'
import { globSync, readFileSync, rmSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { at, renderTargets } from '../../monitoring/scrape.ts'
import { EXIT, ExitError } from '../../src/platform/exit.ts'
import type { Log } from '../../src/platform/log.ts'
import { startAlertmanager } from '../drill/alertmanager.ts'
import type { Files, PrivateServer } from '../drill/private-server.ts'
import { startPrometheus } from '../drill/prometheus.ts'
import { makeHome } from '../embedded/home.ts'
import { isFree } from '../embedded/port.ts'
import { accountFor } from '../embedded/program.ts'
import { startNotificationPrinter } from './notification-printer.ts'

export type Ports = Readonly<{ prometheus: number; alertmanager: number; notifications: number }>

export type StartOptions = Readonly<{
  folder: string // of the site: what `setUpMonitoring` has written
  dataDir: string
  ports: Ports
  retention: string // of Prometheus, such as 40d
  log: Log
  print: (text: string) => void
}>

export type Monitoring = Readonly<{ prometheus: string; alertmanager: string; stop(): Promise<void> }>

const FOLLOW_INTERVAL = 1000

/** Resolves when both answer. Throws ExitError when a port is taken, `MissingProgram` and `ChildFailed`. */
export async function startMonitoring(options: StartOptions): Promise<Monitoring> {
  const { dataDir, ports, retention, log, print } = options
  const folder = resolve(options.folder)
  for (const [name, port] of Object.entries(ports)) {
    if (await isFree(port)) continue
    const flag = `--${name}-port`
    throw new ExitError(EXIT.unavailable, `127.0.0.1:${port} is taken (${name}): stop what is there, or choose ${flag}`)
  }
  const dir = join(dataDir, 'daemons')
  const read = {
    alertmanager: () => alertmanagerFiles(folder, ports),
    prometheus: () => prometheusFiles(folder, ports),
  }
  const given = { alertmanager: read.alertmanager(), prometheus: read.prometheus() }
  const undo: (() => Promise<unknown>)[] = []
  const stopped = new AbortController()
  const stop = async () => {
    stopped.abort()
    for (const step of undo.splice(0).reverse()) await step()
  }
  try {
    const printer = await startNotificationPrinter(ports.notifications, print)
    undo.push(() => printer.close())
    const alertmanager = await startAlertmanager({
      dir,
      files: given.alertmanager,
      port: ports.alertmanager,
      flags: [`--web.external-url=http://127.0.0.1:${ports.alertmanager}`],
      log,
    })
    undo.push(() => alertmanager.stop())
    // Rules of an earlier version would be read along with those of this one.
    rmSync(join(makeHome(dir, 'prometheus', accountFor('prometheus')), 'rules'), { recursive: true, force: true })
    const prometheus = await startPrometheus({
      dir,
      files: given.prometheus,
      port: ports.prometheus,
      flags: [`--storage.tsdb.retention.time=${retention}`, '--enable-feature=exemplar-storage'],
      log,
    })
    undo.push(() => prometheus.stop())
    const following = [
      followFiles({
        server: alertmanager,
        given: given.alertmanager,
        read: read.alertmanager,
        stopped: stopped.signal,
        print,
      }),
      followFiles({
        server: prometheus,
        given: given.prometheus,
        read: read.prometheus,
        stopped: stopped.signal,
        print,
      }),
    ]
    undo.push(() => Promise.all(following))
    return { prometheus: prometheus.url, alertmanager: alertmanager.url, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

type Following = Readonly<{
  server: PrivateServer
  given: Files
  read: () => Files
  stopped: AbortSignal
  print: (text: string) => void
}>

/** Looks again and again until `stopped`. */
async function followFiles({ server, given, read, stopped, print }: Following): Promise<void> {
  let last = hashOf(given)
  for (;;) {
    await sleep(FOLLOW_INTERVAL, undefined, { signal: stopped }).catch(() => undefined)
    if (stopped.aborted) return
    try {
      const files = read()
      if (hashOf(files) === last) continue
      last = hashOf(files)
      await server.reload(files)
      print(`${server.status().name} has read its changed files`)
    } catch (error) {
      print((error as Error).message)
    }
  }
}

function prometheusFiles(folder: string, ports: Ports): Files {
  const own = renderTargets({
    prometheus: at({ prometheus: `127.0.0.1:${ports.prometheus}` }).prometheus,
    alertmanager: at({ alertmanager: `127.0.0.1:${ports.alertmanager}` }).alertmanager,
  })
  return {
    ...filesBelow(join(folder, 'prometheus'), '{*.yml,{rules,targets}/*.yml}'),
    ...Object.fromEntries([...own].map(([path, text]) => [path.replace('prometheus/', ''), text])),
  }
}

/** What the setup wrote where nobody knew a webhook: the printer, which may have another port now. */
const PRINTER = /^http:\/\/127\.0\.0\.1:\d+\/$/

/** With the secrets, at the place where its own account can read them. */
function alertmanagerFiles(folder: string, { notifications }: Ports): Files {
  const printer = `http://127.0.0.1:${notifications}/`
  const files = filesBelow(join(folder, 'alertmanager'), '{*.yml,templates/*}')
  const secrets = Object.entries(filesBelow(join(folder, 'secrets'), '*'))
  return {
    ...Object.fromEntries(
      Object.entries(files).map(([path, text]) => [path, text.replaceAll(join(folder, 'secrets/'), 'secrets/')]),
    ),
    ...Object.fromEntries(secrets.map(([path, text]) => [`secrets/${path}`, text.replace(PRINTER, printer)])),
  }
}

function filesBelow(folder: string, pattern: string): Files {
  const paths = globSync(join(folder, pattern)).sort()
  return Object.fromEntries(paths.map(path => [relative(folder, path), readFileSync(path, 'utf8')]))
}

function hashOf(files: Files): string {
  return createHash('sha256').update(JSON.stringify(files)).digest('hex')
}
