// What every function of the gateway is made from: the configuration of ELEMTA_CONFIG_YAML with the secrets that it names
// (NAME_SECRET=<arn>#<field> becomes the variable NAME), and the AWS home. Made by the first invocation, kept with its
// connections for the next ones; when making it fails the invocation fails, and the next one tries again.
import { type AwsBackends, awsPlaceOf, openAws, openAwsPolicyStore } from '../src/backends-aws.ts'
import type { Config } from '../src/platform/config.ts'
import { loadConfig } from '../src/platform/config-load.ts'
import { environment } from '../src/platform/environment.ts'
import type { Log } from '../src/platform/log.ts'
import { createMetrics, type Metrics } from '../src/platform/metrics.ts'
import type { PolicyStore } from '../src/storage/policy-store.ts'
import { createFunctionLog } from './function-log.ts'
import { withSecrets } from './secrets.ts'

export type GatewayFunction = Readonly<{
  config: Config
  backends: AwsBackends
  store: PolicyStore
  log: Log
  metrics: Metrics
  now: () => number
}>

/** What Lambda tells of an invocation. */
export type Context = Readonly<{ getRemainingTimeInMillis(): number }>

/** Throws ConfigError when there is no configuration, or it makes no sense. */
export async function openGatewayFunction(): Promise<GatewayFunction> {
  const env = await withSecrets(environment)
  const config = loadConfig(undefined, env)
  if (config.storage.aws === undefined) throw new Error('storage.aws of the configuration: a function needs it')
  const now = Date.now
  const log = createFunctionLog(config.log)
  const place = awsPlaceOf(config.storage.aws)
  return {
    config,
    backends: await openAws({ place, now, log, keep: config.trace.keep }),
    store: openAwsPolicyStore(place),
    log,
    metrics: createMetrics(),
    now,
  }
}

/** Made once; what fails is tried again by the next caller. */
export function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make().catch(error => {
      made = undefined
      throw error
    })
    return made
  }
}

/** Aborted when `reserve` milliseconds are left of an invocation. `clear` when it ends. */
export function almostOver(context: Context, reserve: number): Readonly<{ signal: AbortSignal; clear(): void }> {
  const over = new AbortController()
  const timer = setTimeout(() => over.abort(), Math.max(0, context.getRemainingTimeInMillis() - reserve))
  return { signal: over.signal, clear: () => clearTimeout(timer) }
}
