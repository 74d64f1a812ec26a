// What every stage is made from, wherever it runs.
import type { Config } from '../src/platform/config.ts'
import type { Log } from '../src/platform/log.ts'
import type { Metrics } from '../src/platform/metrics.ts'
import type { Backends } from '../src/storage/backends.ts'
import type { PolicyStore } from '../src/storage/policy-store.ts'

export type Parts = Readonly<{
  config: Config
  backends: Backends
  store: PolicyStore
  log: Log
  metrics: Metrics
  now: () => number
}>
