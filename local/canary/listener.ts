// The canary's own way in: a listener on the loopback interface, at a port that the system chooses, which takes mail for
// the addresses of this process's canaries and nothing else. They carry a secret that is made anew with each start, so
// not even another user of this machine can send there. No policy asks: a canary is neither a stranger nor a flood.
import type { IngressSettings } from '../../src/ingress/ingress-settings.ts'
import { startIngress } from '../../src/ingress/server.ts'
import { CANARY_DOMAIN } from '../../src/mail/canary.ts'
import { canaryMetrics } from '../../src/platform/canary-metrics.ts'
import { createChain } from '../../src/plugins/chain.ts'
import { type Plugin, reject } from '../../src/plugins/plugin.ts'

export type CanaryListener = Readonly<{
  port: number
  /** As the ingress does: new connections meet these settings. */
  reconfigure(settings: IngressSettings): void
  close(): Promise<void>
}>

const ADDRESS = '127.0.0.1'
const CONNECTIONS = 10
/** Milliseconds that a plugin which only compares may take. */
const TIMEOUT = 1000
/** Milliseconds for what comes in when we stop. */
const DRAIN = 1000

/** `settings` are the gateway's own; `addresses` are all that mail is taken for. */
export async function startCanaryListener(
  settings: IngressSettings,
  addresses: readonly string[],
): Promise<CanaryListener> {
  const ours = (gateway: IngressSettings) => settingsFor(gateway, new Set(addresses))
  const ingress = await startIngress({
    ...ours(settings),
    listeners: [{ address: ADDRESS, port: 0, mode: 'mx' }],
  })
  return {
    port: ingress.addresses[0]!.port,
    reconfigure: changed => void ingress.reconfigure(ours(changed)),
    close: () => ingress.drain(DRAIN),
  }
}

/** The gateway's way to take and store mail, without what is about strangers, and counted apart. */
function settingsFor(gateway: IngressSettings, addresses: ReadonlySet<string>): IngressSettings {
  const metrics = canaryMetrics(gateway.metrics)
  const log = gateway.log
  const plugin: Plugin = {
    recipient: (_, recipient) => (addresses.has(recipient) ? undefined : reject('No such canary here')),
  }
  const chain = createChain([{ name: 'canary', plugin, mode: 'enforce', timeout: TIMEOUT }], { log, metrics })
  const { hostname, backends, beforeQueue, now, pressure, bareNewline, limits } = gateway
  return {
    ...{ hostname, backends, beforeQueue, now, chain, log, metrics },
    ...(pressure && { pressure }),
    ...(bareNewline && { bareNewline }),
    login: undefined,
    relay: { domains: [CANARY_DOMAIN], networks: [], canary: true },
    limits: { ...limits, connections: CONNECTIONS, connectionsPerClient: CONNECTIONS },
  }
}
