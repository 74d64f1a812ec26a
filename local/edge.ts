// The edge of the embedded home: what the ingress needs besides storage, made from the configuration, and made anew
// when that changes. What a reload replaces is closed when the last session that asks it has ended.
import { join } from 'node:path'
import { createAttempts } from '../src/auth/attempts.ts'
import type { Authenticator } from '../src/auth/authenticator.ts'
import { firstAnswer } from '../src/auth/first-answer.ts'
import { createLdap } from '../src/auth/ldap.ts'
import { createLogin } from '../src/auth/login.ts'
import { createUsersFile } from '../src/auth/users-file.ts'
import type { Check } from '../src/console/ops-server.ts'
import { dialoguesWith } from '../src/deliver/next-hop-dialogue.ts'
import type { TlsSessions } from '../src/deliver/next-hop-tls.ts'
import { createRoutes } from '../src/deliver/routes.ts'
import type { BeforeQueueScan } from '../src/ingress/before-queue.ts'
import { createCertificates } from '../src/ingress/certificates.ts'
import type { IngressSettings } from '../src/ingress/ingress-settings.ts'
import { createRelayControl } from '../src/ingress/relay-control.ts'
import { createNetworks } from '../src/mail/networks.ts'
import type { Config } from '../src/platform/config.ts'
import { createDns } from '../src/platform/dns.ts'
import type { Log } from '../src/platform/log.ts'
import type { Metrics } from '../src/platform/metrics.ts'
import { createPolicies } from '../src/policy/policies.ts'
import type { PressureGauge } from '../src/spool/pressure.ts'
import type { Backends } from '../src/storage/backends.ts'
import type { PolicyStore } from '../src/storage/policy-store.ts'

export type EdgeParts = Readonly<{
  config: Config
  backends: Backends
  store: PolicyStore
  pressure: PressureGauge
  /** Used where `scan.wait` asks for it. */
  beforeQueue: BeforeQueueScan
  log: Log
  metrics: Metrics
  now: () => number
}>

export type Edge = Readonly<{
  settings: IngressSettings
  /** For /readyz. */
  checks(): readonly Check[]
  /** New connections have another: files of certificates are no longer watched. Open sessions may go on with this. */
  replaced(): void
  /** Nobody asks it any more. */
  close(): Promise<void>
}>

/** How much longer than the scanners a client may wait for its reply, in milliseconds. */
const BESIDES_SCANNING = 60_000

/** Throws an Error that names the setting or file which makes no sense. */
export async function createEdge(parts: EdgeParts): Promise<Edge> {
  const { config, backends, store, pressure, log, metrics, now } = parts
  const { hostname, relay, limits, ingress, scan } = config
  const closers: (() => Promise<void> | void)[] = []
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer()
  }
  try {
    const authenticator = authenticatorOf(config, log)
    if (authenticator !== undefined) closers.push(() => authenticator.close())
    const exempt = createNetworks(limits.allowlist, 'limits.allowlist')
    const attempts = createAttempts({ store, limits: config.auth.attempts, exempt, log, now })
    const login = authenticator && createLogin({ authenticator, attempts, metrics, log, now })

    const routes = createRoutes(config.routes)
    const tlsSessions: TlsSessions = new Map()
    const chain = await createPolicies(config, {
      dns: createDns(config.dns),
      store,
      isOurs: createRelayControl(relay, hostname).isOurs,
      nextHop(domain) {
        const target = routes(`postmaster@${domain}`)
        if (target?.kind !== 'next-hops') return undefined
        const [first] = target.nextHops.toSorted((a, b) => a.priority - b.priority)
        return first && dialoguesWith(first.nextHop, { hostname, tlsSessions })
      },
      log,
      metrics,
      now,
    })
    closers.push(() => chain.close())

    // Last, since they change a metric: when anything before fails nothing has changed.
    const certificates = await createCertificates({
      files: config.tls.certificates,
      selfSignedDir: join(config.data_dir, 'tls'),
      hostname,
      minVersion: config.tls.min_version,
      log,
      metrics,
      now,
    })
    closers.push(() => certificates.close())

    const settings: IngressSettings = {
      hostname,
      backends,
      chain,
      login,
      beforeQueue: scan.wait > 0 ? parts.beforeQueue : undefined,
      log,
      metrics,
      now,
      relay,
      tls: certificates.options,
      ownAddressesOnly: config.auth.own_addresses_only,
      pressure: pressure.reason,
      priority: config.priority,
      pregreetDelay: ingress.pregreet_delay,
      bareNewline: ingress.bare_newline,
      proxyProtocol: ingress.proxy_protocol,
      xclient: ingress.xclient,
      allowlist: limits.allowlist,
      limits: {
        messageSize: limits.message_size,
        recipients: limits.recipients,
        connections: limits.connections,
        connectionsPerClient: limits.connections_per_client,
        errors: limits.errors,
        softErrors: limits.soft_errors,
        refusedRecipients: limits.refused_recipients,
        dataRate: limits.data_rate,
        timeouts: {
          command: limits.command_timeout,
          data: limits.data_timeout,
          session: limits.session_timeout,
          ...(scan.wait > 0 && { answer: scan.wait + BESIDES_SCANNING }),
        },
      },
    }
    const checks = () => certificates.warnings().map((detail): Check => ({ name: 'tls', state: 'warning', detail }))
    return { settings, checks, replaced: () => certificates.close(), close }
  } catch (error) {
    await close()
    throw error
  }
}

function authenticatorOf({ auth }: Config, log: Log): Authenticator | undefined {
  const found = [
    ...(auth.users_file === undefined ? [] : [createUsersFile({ path: auth.users_file, log })]),
    ...(auth.ldap === undefined ? [] : [createLdap(auth.ldap, { log })]),
  ]
  return found.length === 0 ? undefined : firstAnswer(found)
}
