// What Prometheus scrapes, and where that is, kept apart: prometheus.yml is the same everywhere, the addresses stand in
// prometheus/targets/*.yml, which it reads again when they change. So a stack in containers, natively started parts and
// a drill differ only in these. A target that asks for a password has it in its file, never in prometheus.yml.
import { stringify } from 'yaml'
import { formatDuration } from '../src/platform/config-units.ts'
import { ESCALATION_RELABEL } from './routing/escalation.ts'
import type { Settings } from './thresholds.ts'

export type Job = 'elemta' | 'clamav' | 'rspamd' | 'prometheus' | 'alertmanager'

/** `path`: where it does not have the job's own; `password`: of Rspamd's controller, for who is not in its secure_ip. */
export type Target = Readonly<{ address: string; path?: string; password?: string }>
export type Targets = Readonly<Record<Job, readonly Target[]>>

/** The metrics of clamd are the gateway's to tell: clamd itself has none in Prometheus's form. */
export const PATHS: Readonly<Record<Job, string>> = {
  elemta: '/metrics',
  clamav: '/metrics/clamav',
  rspamd: '/metrics',
  prometheus: '/metrics',
  alertmanager: '/metrics',
}
export const JOBS = Object.keys(PATHS) as Job[]

/** By the names that the parts have in the container stack: what is shipped. */
export const CONTAINER_TARGETS: Targets = {
  elemta: ['smtp-ingress', 'scan-worker', 'delivery-worker', 'upkeep'].map(role => ({ address: `${role}:8080` })),
  ...at({
    clamav: 'scan-worker:8080',
    rspamd: 'rspamd:11334',
    prometheus: 'localhost:9090',
    alertmanager: 'alertmanager:9093',
  }),
}

/** Everything on one machine, on the ports that it has by default. */
export const NATIVE_TARGETS = at({
  elemta: '127.0.0.1:8080',
  clamav: '127.0.0.1:8080',
  rspamd: '127.0.0.1:11334',
  prometheus: '127.0.0.1:9090',
  alertmanager: '127.0.0.1:9093',
})

/** One target for each job. */
export function at<Some extends Job>(addresses: Readonly<Record<Some, string>>): Readonly<Record<Some, Target[]>> {
  const each = Object.entries<string>(addresses).map(([job, address]) => [job, [{ address }]])
  return Object.fromEntries(each) as Record<Some, Target[]>
}

const HEAD = '# Written by `npm run monitoring` from monitoring/scrape.ts: change that.\n'

/** prometheus.yml, by its path below the folder `monitoring`. */
export function renderPrometheus({ timing }: Pick<Settings, 'timing'>): Map<string, string> {
  const interval = formatDuration(timing.evaluation_interval)
  const files = (job: Job) => [{ files: [`targets/${job}.yml`], refresh_interval: '1m' }]
  const configuration = {
    global: { scrape_interval: interval, scrape_timeout: timeoutFor(timing), evaluation_interval: interval },
    rule_files: ['rules/*.yml'],
    alerting: {
      alert_relabel_configs: ESCALATION_RELABEL,
      alertmanagers: [{ file_sd_configs: files('alertmanager') }],
    },
    scrape_configs: JOBS.map(job => ({ job_name: job, metrics_path: PATHS[job], file_sd_configs: files(job) })),
  }
  return new Map([['prometheus/prometheus.yml', HEAD + stringify(configuration, { lineWidth: 0 })]])
}

/** A scrape may take as long as the pause between two, and at most ten seconds. */
function timeoutFor({ evaluation_interval }: Settings['timing']): string {
  return formatDuration(Math.min(evaluation_interval, 10_000))
}

/** The first line of a file of addresses; without it the file is somebody's own. */
export const TARGETS_HEAD =
  '# Written by `npm run monitoring`, scripts/setup-monitoring.sh or the gateway: a file without this line is left alone.\n'

/** The files of addresses of these jobs, by their paths below the folder `monitoring`. */
export function renderTargets(targets: Partial<Targets> = CONTAINER_TARGETS): Map<string, string> {
  const entries = Object.entries<readonly Target[]>(targets)
  return new Map(entries.map(([job, of]) => [`prometheus/targets/${job}.yml`, TARGETS_HEAD + stringify(of.map(group))]))
}

function group({ address, path, password }: Target) {
  const labels = {
    ...(path !== undefined && { __metrics_path__: path }),
    ...(password !== undefined && { __param_password: password }), // dropped after the scrape, as every label with __
  }
  return { targets: [address], ...(Object.keys(labels).length > 0 && { labels }) }
}
