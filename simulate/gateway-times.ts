// The configuration that a stage's tasks would read, of which the simulation wants a few numbers: concurrency, the retry
// schedule, and when back-pressure sets in. What depends on the machine is taken from the size of the task.
import type { DeploymentSettings } from '../lib/deployment-settings.ts'
import { gatewayConfig } from '../lib/gateway-config.ts'
import { JOBS_PER_SCAN } from '../local/stages.ts'
import { SCANS_PER_CORE } from '../src/platform/config.ts'
import { parseConfig } from '../src/platform/config-load.ts'
import type { GatewayTimes } from './world.ts'

/** Throws ConfigError where `gateway` of the settings makes no sense. */
export function gatewayTimes(settings: DeploymentSettings): GatewayTimes {
  const text = gatewayConfig(settings, 'delivery')
  const names = [...text.matchAll(/\$\{(ELEMTA_\w+)\}/g)].map(([, name = '']) => name)
  const env = Object.fromEntries(names.map(name => [name, 'https://placeholder.example.com/1/x']))
  const { scan, delivery, limits } = parseConfig(text, { file: 'gateway', env })
  const given = settings.gateway.scan as { concurrency?: number } | undefined
  const scans =
    given?.concurrency === undefined ? SCANS_PER_CORE * Math.max(1, settings.scan.tasks.cpu / 1024) : scan.concurrency
  return {
    scanConcurrency: JOBS_PER_SCAN * scans,
    deliveryConcurrency: delivery.concurrency,
    retryDelays: delivery.retry_schedule,
    lifetime: delivery.lifetime,
    mostQueued: limits.queued_messages,
  }
}
