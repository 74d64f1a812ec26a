// A private copy of the whole: gateway, scanners, Prometheus with the project's rules, Alertmanager with its routing, and
// those who are told. Everything below one directory, on ports of 127.0.0.1; `stop` ends and removes all but the files.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { at, type Job } from '../../monitoring/scrape.ts'
import type { Settings } from '../../monitoring/thresholds.ts'
import type { Log } from '../../src/platform/log.ts'
import { freePort } from '../embedded/port.ts'
import type { Rspamd } from '../embedded/rspamd.ts'
import type { Answer } from '../load/attempt.ts'
import { attempt } from '../load/attempt.ts'
import { type SampleName, sampleMail } from '../samples.ts'
import { type Alertmanager, startAlertmanager } from './alertmanager.ts'
import { LASTING, writeCertificate } from './certificate.ts'
import { type DrillClamd, startDrillClamd } from './clamd.ts'
import type { StackName } from './fault.ts'
import { createGateway, type GatewayProcess } from './gateway.ts'
import { type HttpSink, startHttpSink } from './http-sink.ts'
import { type Notification, notifications } from './notifications.ts'
import { type Prometheus, startPrometheus } from './prometheus.ts'
import { type Relay, startRelay } from './relay.ts'
import {
  alertmanagerFiles,
  DEAD_MAN_PATH,
  drillRouting,
  drillSettings,
  prometheusFiles,
  slackUrl,
  targetFiles,
} from './settings.ts'
import { type SmtpSink, startSmtpSink } from './smtp-sink.ts'
import { gatewayOptions } from './stack-config.ts'

export type Stack = Readonly<{
  dir: string
  settings: Settings
  gateway: GatewayProcess
  /** The gateway's own, with signatures that can be exchanged. */
  clamd: DrillClamd
  /** Between the gateway and the rspamd that all stacks share; and between Prometheus and that rspamd's metrics. */
  rspamd: Relay
  rspamdMetrics: Relay
  /** For all mail but that to down.example.com, where nobody listens at `closedPort`. */
  nextHop: SmtpSink
  closedPort: number
  prometheus(): Prometheus
  alertmanager(): Alertmanager
  /** They are gone until `start…` brings them back at the same address with what they knew. */
  stopPrometheus(): Promise<void>
  startPrometheus(): Promise<void>
  stopAlertmanager(): Promise<void>
  startAlertmanager(): Promise<void>
  /** What people were told so far, and when the dead-man's switch heard of us (ms since 1970). */
  told(): Notification[]
  signsOfLife(): number[]
  /** Prometheus scrapes these in place of what it did. */
  scrape(changed: Partial<Record<Job, string>>): Promise<void>
  /** One message or login; never rejects for what is answered. */
  send(sample: SampleName, to?: string): Promise<Answer>
  login(user: string, password: string): Promise<Answer>
  /** Does it again and again, with a pause between, until `still`. */
  repeat(pause: number, act: () => Promise<unknown>): void
  still(): Promise<void>
  /** Done before everything is stopped. */
  onStop(act: () => Promise<unknown>): void
  stop(): Promise<void>
}>

/** Shared by all stacks. */
type Scanning = Pick<Rspamd, 'host' | 'port' | 'controllerPort'>

export type StackOptions = Readonly<{ name: StackName; dir: string; rspamd: Scanning; log: Log }>

const PATIENCE = 20_000
const LOOK_INTERVAL = 200

export async function startStack({ name, dir, rspamd: shared, log }: StackOptions): Promise<Stack> {
  const settings = drillSettings(name)
  const undo: (() => Promise<unknown>)[] = []
  const started = async <T>(what: Promise<T>, end: (it: T) => Promise<unknown>): Promise<T> => {
    const it = await what
    undo.push(() => end(it))
    return it
  }
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step()
  }
  try {
    const close = (it: { close(): Promise<void> }) => it.close()
    const [smarthost, nextHop, web, rspamd, rspamdMetrics, clamd] = await Promise.all([
      started(startSmtpSink(), close),
      started(startSmtpSink(), close),
      started(startHttpSink(), close),
      started(startRelay({ host: shared.host, port: shared.port }), close),
      started(startRelay({ host: shared.host, port: shared.controllerPort }), close),
      started(startDrillClamd(dir, log), it => it.stop()),
    ])
    const closedPort = await freePort()
    const parts = { clamd: clamd.address.port, rspamd: rspamd.port, nextHop: nextHop.port, closed: closedPort }
    await writeCertificate(dir, LASTING)
    const gateway = await createGateway(gatewayOptions(name, dir, parts))
    undo.push(() => gateway.stop())
    await gateway.start()
    const monitoring = await startMonitoring({ dir, settings, smarthost, web, gateway, rspamdMetrics, log })
    undo.push(monitoring.stop)
    await untilWatched(monitoring.prometheus)

    let repeating = new AbortController()
    const repeated = new Set<Promise<void>>()
    const still = async () => {
      repeating.abort()
      repeating = new AbortController()
      await Promise.all(repeated)
    }
    undo.push(still)
    const server = { host: '127.0.0.1', port: gateway.ports.smtp }
    const errand = { from: 'alice@sender.example', slow: 0, patience: PATIENCE, tls: false, server }
    return {
      ...monitoring,
      ...{ dir, settings, gateway, clamd, rspamd, rspamdMetrics, nextHop, closedPort, still, stop },
      onStop: act => void undo.push(act),
      told: () => notifications(smarthost, web),
      signsOfLife: () => web.posted.filter(({ path }) => path === DEAD_MAN_PATH).map(({ at: when }) => when),
      send: (sample, to = 'bob@example.com') => attempt({ ...errand, to, mail: sampleMail(sample, Date.now()) }),
      login: (user, password) =>
        attempt({
          ...errand,
          ...{ auth: { user, password }, tls: true, to: 'bob@example.com', mail: sampleMail('clean', Date.now()) },
          server: { ...server, port: gateway.ports.submission },
        }),
      repeat(pause, act) {
        const { signal } = repeating
        const again = async () => {
          while (!signal.aborted) {
            await act().catch(error => log.debug({ why: String(error) }, 'drill-traffic'))
            await sleep(pause, undefined, { signal }).catch(() => {})
          }
        }
        const going = again().finally(() => repeated.delete(going))
        repeated.add(going)
      },
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Everything is scraped and rules have been evaluated: from now on silence means something. */
async function untilWatched(prometheus: () => Prometheus): Promise<void> {
  const watched =
    'count(up == 1) == 5 and on () (elemta:queue_size:sum >= 0) and on () (ALERTS{alertname="Watchdog"} == 1)'
  for (const since = Date.now(); (await prometheus().query(watched)).length === 0; await sleep(LOOK_INTERVAL)) {
    if (Date.now() - since > PATIENCE) throw new Error('Prometheus does not come to scrape all of the stack')
  }
}

type Monitored = Readonly<{
  dir: string
  settings: Settings
  smarthost: SmtpSink
  web: HttpSink
  gateway: GatewayProcess
  rspamdMetrics: Relay
  log: Log
}>

async function startMonitoring({ dir, settings, smarthost, web, gateway, rspamdMetrics, log }: Monitored) {
  const secrets = join(dir, 'secrets')
  mkdirSync(secrets, { recursive: true })
  const webhookFile = join(secrets, 'slack')
  writeFileSync(webhookFile, slackUrl(web.url))
  const routing = drillRouting({ smarthostPort: smarthost.port, webhookFile, webUrl: web.url })
  const ports = { prometheus: await freePort(), alertmanager: await freePort() }
  const here = (port: number) => `127.0.0.1:${port}`
  let addresses: Record<Job, string> = {
    elemta: here(gateway.ports.ops),
    clamav: here(gateway.ports.ops),
    rspamd: here(rspamdMetrics.port),
    prometheus: here(ports.prometheus),
    alertmanager: here(ports.alertmanager),
  }
  const files = {
    alertmanager: alertmanagerFiles(settings, routing),
    prometheus: prometheusFiles(settings, routing, at(addresses)),
  }
  const launchAlertmanager = () => startAlertmanager({ dir, log, port: ports.alertmanager, files: files.alertmanager })
  const launchPrometheus = () =>
    startPrometheus({ dir, log, port: ports.prometheus, files: { ...files.prometheus, ...targetFiles(at(addresses)) } })
  let alertmanager = await launchAlertmanager()
  let prometheus = await launchPrometheus().catch(async error => {
    await alertmanager.stop()
    throw error
  })
  return {
    prometheus: () => prometheus,
    alertmanager: () => alertmanager,
    stopPrometheus: () => prometheus.stop(),
    async startPrometheus() {
      prometheus = await launchPrometheus()
    },
    stopAlertmanager: () => alertmanager.stop(),
    async startAlertmanager() {
      alertmanager = await launchAlertmanager()
    },
    async scrape(changed: Partial<Record<Job, string>>) {
      addresses = { ...addresses, ...changed }
      await prometheus.reload(targetFiles(at(addresses)))
    },
    async stop() {
      await Promise.all([prometheus.stop(), alertmanager.stop()])
    },
  }
}
