// The settings of an ingress, and what its sessions share that comes of them. A reload makes a new one of these.
import type { TLSSocketOptions } from 'node:tls'
import { createNetworks } from '../mail/networks.ts'
import type { PrioritySettings } from '../mail/priority.ts'
import { type LimitSettings, limitsOf } from './limits.ts'
import type { BareNewline } from './reception.ts'
import { createRelayControl, type RelaySettings } from './relay-control.ts'
import type { Pressure, SessionSettings } from './session.ts'

export type IngressSettings = Pick<
  SessionSettings,
  'hostname' | 'backends' | 'chain' | 'login' | 'beforeQueue' | 'log' | 'metrics' | 'now'
> &
  Readonly<{
    limits: LimitSettings
    relay: RelaySettings
    /** What to do TLS with; absent: we have none. */
    tls?: (() => TLSSocketOptions) | undefined
    ownAddressesOnly?: boolean
    pressure?: () => Pressure | undefined
    /** Absent: all mail is equal. */
    priority?: PrioritySettings
    /** Milliseconds to wait before greeting; 0, the default, greets at once. */
    pregreetDelay?: number
    bareNewline?: BareNewline
    /** Networks (CIDR): load balancers, relays that may name clients, clients without limits of their own. */
    proxyProtocol?: readonly string[]
    xclient?: readonly string[]
    allowlist?: readonly string[]
  }>

export type Policy = Readonly<{
  shared: SessionSettings
  /** True for a load balancer, whose connections begin with a PROXY header. */
  isProxy(address: string): boolean
  /** True for clients that the limits per client do not concern. */
  allows(address: string): boolean
  tls: (() => TLSSocketOptions) | undefined
  pregreetDelay: number
}>

/** Throws Error naming the setting that makes no sense. */
export function policyOf(settings: IngressSettings): Policy {
  const { hostname, backends, chain, login, beforeQueue, log, metrics, now, tls, priority } = settings
  const { relay, pregreetDelay = 0, bareNewline = 'normalize', ownAddressesOnly = false } = settings
  const { pressure = () => undefined, proxyProtocol = [], xclient = [], allowlist = [] } = settings
  const shared: SessionSettings = {
    hostname,
    backends,
    chain,
    login,
    beforeQueue,
    log,
    metrics,
    now,
    limits: limitsOf(settings.limits),
    relay: createRelayControl(relay, hostname),
    bareNewline,
    priority,
    ownAddressesOnly,
    tls: tls !== undefined,
    mayNameClients: createNetworks(xclient, 'ingress.xclient'),
    pressure,
  }
  return {
    shared,
    isProxy: createNetworks(proxyProtocol, 'ingress.proxy_protocol'),
    allows: createNetworks(allowlist, 'limits.allowlist'),
    tls,
    pregreetDelay,
  }
}
