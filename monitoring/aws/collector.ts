// What the collector beside each role does (AWS Distro for OpenTelemetry): scrape the containers of its own task, which
// share 127.0.0.1, and write to Amazon Managed Service for Prometheus, signed with the task's role. The series get the
// names and labels that Prometheus would give them, so that the same rules hold; `instance` is the task.
// Values that differ between stages come from the environment of the container (COLLECTOR_ENVIRONMENT).
import { stringify } from 'yaml'
import { formatDuration } from '../../src/platform/config-units.ts'
import { type Job, PATHS } from '../scrape.ts'
import type { Settings } from '../thresholds.ts'
import { AWS_SETTINGS } from './settings.ts'

export type CollectorRole = 'ingress' | 'scan' | 'delivery'

/** What stands in the environment of the collector's container, beside AWS_REGION, which ECS puts there. */
export const COLLECTOR_ENVIRONMENT = {
  /** https://…/api/v1/remote_write */
  remoteWrite: 'ELEMTA_REMOTE_WRITE_URL',
  /** This configuration as text: the image reads it by this name. */
  configuration: 'AOT_CONFIG_CONTENT',
} as const

const OPS = '127.0.0.1:8080'
const RSPAMD = '127.0.0.1:11334' // its controller takes the peer for local: no password
const TARGETS: Readonly<Record<CollectorRole, Readonly<Partial<Record<Job, string>>>>> = {
  ingress: { elemta: OPS },
  scan: { elemta: OPS, clamav: OPS, rspamd: RSPAMD },
  delivery: { elemta: OPS },
}

const fromEnvironment = (name: string) => `\${env:${name}}`

/** A scrape that is not over then has failed. */
const SCRAPE_TIMEOUT = '10s'

/** The collector's configuration, as YAML. */
export function collectorConfig(role: CollectorRole, { timing }: Pick<Settings, 'timing'> = AWS_SETTINGS): string {
  const pipeline = {
    receivers: ['prometheus'],
    processors: ['memory_limiter', 'resourcedetection', 'resource', 'batch'],
  }
  return stringify(
    {
      extensions: {
        sigv4auth: { region: fromEnvironment('AWS_REGION'), service: 'aps' },
        health_check: { endpoint: '127.0.0.1:13133' },
      },
      receivers: { prometheus: { config: scrapeConfig(role, formatDuration(timing.evaluation_interval)) } },
      processors: {
        memory_limiter: { check_interval: '1s', limit_mib: 200, spike_limit_mib: 50 },
        resourcedetection: { detectors: ['env', 'ecs'], timeout: '5s', override: false },
        // Every task scrapes 127.0.0.1: without this their series would be one. The id is the shorter one, where known.
        resource: {
          attributes: ['aws.ecs.task.arn', 'aws.ecs.task.id'].map(from_attribute => ({
            key: 'service.instance.id',
            from_attribute,
            action: 'upsert',
          })),
        },
        batch: {},
      },
      exporters: {
        prometheusremotewrite: {
          endpoint: fromEnvironment(COLLECTOR_ENVIRONMENT.remoteWrite),
          auth: { authenticator: 'sigv4auth' },
          add_metric_suffixes: false, // names as they were scraped
          target_info: { enabled: false },
          resource_to_telemetry_conversion: { enabled: false },
        },
      },
      service: {
        extensions: ['sigv4auth', 'health_check'],
        pipelines: { metrics: { ...pipeline, exporters: ['prometheusremotewrite'] } },
      },
    },
    { lineWidth: 0 },
  )
}

function scrapeConfig(role: CollectorRole, interval: string) {
  return {
    global: { scrape_interval: interval, scrape_timeout: SCRAPE_TIMEOUT },
    scrape_configs: (Object.entries(TARGETS[role]) as [Job, string][]).map(([job, target]) => ({
      job_name: job,
      metrics_path: PATHS[job],
      static_configs: [{ targets: [target], labels: { role } }],
    })),
  }
}
