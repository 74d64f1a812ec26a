// What our own session policies get besides what any plugin has: the catalogue of metrics and what the gateway knows
// of its domains and routes.

import type { Metrics } from '../platform/metrics.ts'
import type { PluginContext } from '../plugins/plugin.ts'

/** Where mail for a domain goes, when it is a server that can be asked. */
export type NextHop = Readonly<{ protocol: 'smtp' | 'lmtp'; host: string; port: number }>

export type PolicyContext = PluginContext &
  Readonly<{
    catalogue: Metrics
    /** True for a domain that mail is taken for from anybody. */
    isOurs(domain: string): boolean
    nextHop(domain: string): NextHop | undefined
  }>
