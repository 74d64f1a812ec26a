// What no single key can know: settings that contradict each other, and settings that are legal but surprising.
// Pure. A contradiction stops the program; a warning is shown by `config check` and at the start.
import { parseNetwork } from '../mail/networks.ts'
import { type Config, enabledPlugin, isBuiltin, type Listener, type Plugin } from './config.ts'
import { formatSize } from './config-units.ts'

type Path = readonly PropertyKey[]

/** What is wrong at which key, as a path: ['plugins', 0, 'config', 'stream_max']; `reads`: all keys that it follows from. */
export type Contradiction = Readonly<{ path: Path; message: string; reads: readonly Path[] }>

/** Everything in `config` that cannot work. */
export function contradictions(config: Config): Contradiction[] {
  return [
    ...listenerRules(config),
    ...networkRules(config),
    ...authRules(config),
    ...routeRules(config),
    ...pluginRules(config),
    ...canaryRules(config),
    ...storageRules(config),
  ]
}

/** Everything in `config` that works, but that its owner should know of; sentences for people. */
export function configWarnings(config: Config): string[] {
  const { relay, limits, listeners } = config
  const warnings: string[] = []
  const clamav = enabledPlugin(config, 'clamav')
  const rspamd = enabledPlugin(config, 'rspamd')
  if (clamav === undefined && rspamd === undefined) warnings.push('no scanner is enabled: mail passes unscanned')
  else if (clamav === undefined) warnings.push('clamav is not enabled: mail is not scanned for viruses')
  if (clamav?.on_error === 'tag') {
    warnings.push('clamav: on_error: tag delivers mail that was not scanned for viruses when clamd fails')
  }
  if (rspamd?.max_size !== undefined && rspamd.max_size < limits.message_size) {
    const unscanned = `messages from ${formatSize(rspamd.max_size)} to ${formatSize(limits.message_size)}`
    warnings.push(`rspamd cannot scan ${unscanned}: on_error: ${rspamd.on_error} decides about them`)
  }
  if (relay.domains.length === 0 && relay.networks.length === 0) {
    const users = listeners.some(({ mode }) => mode !== 'mx')
    const accepted = users ? 'mail will be accepted from users who log in alone' : 'no mail will be accepted'
    warnings.push(`relay.domains and relay.networks are empty: ${accepted}`)
  }
  const users = config.listeners.some(({ mode }) => mode !== 'mx')
  if (users && !config.routes.some(({ domains }) => domains.includes('*'))) {
    warnings.push('users may send to any domain, but there is no route for "*": their mail to others waits, then fails')
  }
  if (limits.recipients < 100) warnings.push('limits.recipients: RFC 5321 asks for at least 100')
  return warnings
}

function listenerRules({ listeners, ops }: Config): Contradiction[] {
  const found: Contradiction[] = []
  const reads = [['listeners'], ['ops']]
  for (const [n, listener] of listeners.entries()) {
    const earlier = listeners.slice(0, n).findIndex(other => collide(listener, other))
    if (earlier === -1) continue
    found.push({
      path: ['listeners', n, 'port'],
      message: `port ${listener.port} is taken by listeners[${earlier}]`,
      reads,
    })
  }
  const taken = listeners.findIndex(listener => collide(listener, ops))
  if (taken !== -1) {
    found.push({ path: ['ops', 'port'], message: `port ${ops.port} is taken by listeners[${taken}]`, reads })
  }
  return found
}

/**
 * A load balancer that does not know its client (UNKNOWN) speaks for itself: if it may send to any domain, so may all
 * the world through it.
 */
function networkRules({ relay, ingress }: Config): Contradiction[] {
  const found: Contradiction[] = []
  for (const [n, network] of relay.networks.entries()) {
    const balancer = ingress.proxy_protocol.find(other => overlap(network, other))
    if (balancer === undefined) continue
    const message = `${network} holds load balancers (ingress.proxy_protocol: ${balancer}): this would be an open relay`
    found.push({ path: ['relay', 'networks', n], message, reads: [['relay'], ['ingress']] })
  }
  return found
}

function overlap(one: string, other: string): boolean {
  const [[a, aPrefix], [b, bPrefix]] = [parseNetwork(one, ''), parseNetwork(other, '')]
  return a.kind() === b.kind() && a.match(b, Math.min(aPrefix, bPrefix))
}

/** Nobody could ever log in. */
function authRules({ listeners, auth }: Config): Contradiction[] {
  const first = listeners.findIndex(({ mode }) => mode !== 'mx')
  if (first === -1 || auth.users_file !== undefined || auth.ldap !== undefined) return []
  const message = `${listeners[first]!.mode} needs users: set auth.users_file or auth.ldap`
  return [{ path: ['listeners', first, 'mode'], message, reads: [['listeners'], ['auth']] }]
}

type Endpoint = Pick<Listener, 'address' | 'port'>

/** `0.0.0.0` and `::` take the port on every address (`::` also on the IPv4 ones). */
function collide(one: Endpoint, other: Endpoint): boolean {
  if (one.port !== other.port || one.port === 0) return false
  const covers = (wide: Endpoint, narrow: Endpoint) =>
    wide.address === '::' || (wide.address === '0.0.0.0' && !narrow.address.includes(':'))
  return one.address === other.address || covers(one, other) || covers(other, one)
}

function routeRules({ routes, relay }: Config): Contradiction[] {
  const found: Contradiction[] = []
  const reads = [['routes'], ['relay']]
  const patterns = new Map<string, number>()
  for (const [n, route] of routes.entries()) {
    for (const [m, pattern] of route.domains.entries()) {
      const earlier = patterns.get(pattern)
      const path = ['routes', n, 'domains', m]
      if (earlier === undefined) patterns.set(pattern, n)
      else found.push({ path, message: `"${pattern}" is already in routes[${earlier}]`, reads })
    }
  }
  const covered = (domain: string) =>
    patterns.has('*') ||
    patterns.has(domain) ||
    [...patterns.keys()].some(pattern => pattern.startsWith('*.') && domain.endsWith(pattern.slice(1)))
  for (const [n, domain] of relay.domains.entries()) {
    if (covered(domain)) continue
    const message = `no route leads to ${domain}: add one for it, or for "*"`
    found.push({ path: ['relay', 'domains', n], message, reads })
  }
  if (relay.networks.length > 0 && !patterns.has('*')) {
    const message = 'clients in these networks may send to any domain, but there is no route for "*"'
    found.push({ path: ['relay', 'networks'], message, reads })
  }
  return found
}

function pluginRules({ plugins, limits }: Config): Contradiction[] {
  const found: Contradiction[] = []
  const limit = `limits.message_size (${formatSize(limits.message_size)})`
  for (const [n, plugin] of plugins.entries()) {
    const here = ['plugins', n]
    const earlier = plugins.slice(0, n).findIndex(({ name }) => name === plugin.name)
    if (earlier !== -1) {
      const message = `${plugin.name} is already in plugins[${earlier}]`
      found.push({ path: [...here, 'name'], message, reads: [[...here, 'name']] })
    }
    if (plugin.enabled && isBuiltin(plugin) && plugin.name === 'greylist') {
      const { delay, retry_window } = plugin.config
      const message = 'must be longer than delay, or nobody could ever pass'
      const path = [...here, 'config', 'retry_window']
      if (retry_window <= delay)
        found.push({
          path,
          message,
          reads: [
            [...here, 'config'],
            [...here, 'enabled'],
          ],
        })
    }
    const { key, size, remedy } = scannerLimit(plugin) ?? {}
    if (!plugin.enabled || key === undefined || size === undefined || size >= limits.message_size) continue
    const path = [...here, 'config', key]
    const reads = [path, [...here, 'config', 'on_error'], [...here, 'enabled'], ['limits', 'message_size']]
    found.push({ path, message: `${formatSize(size)} is below ${limit}: ${remedy}`, reads })
  }
  return found
}

/** The largest message that a scanner takes, where a larger one would have nowhere to go. */
function scannerLimit(plugin: Plugin): Readonly<{ key: string; size: number | undefined; remedy: string }> | undefined {
  if (!isBuiltin(plugin)) return undefined
  switch (plugin.name) {
    case 'clamav': {
      const remedy =
        'larger messages could never be scanned; raise StreamMaxLength of clamd and this, or lower the message size'
      return { key: 'stream_max', size: plugin.config.stream_max, remedy }
    }
    case 'rspamd': {
      // With hold or tag the owner has said what becomes of them: a warning is enough.
      const { max_size, on_error } = plugin.config
      const remedy =
        'with on_error: defer, larger messages would wait until they expire; raise max_message of rspamd and this, or choose hold or tag'
      return { key: 'max_size', size: on_error === 'defer' ? max_size : undefined, remedy }
    }
    default:
      return undefined
  }
}

function storageRules({ storage }: Config): Contradiction[] {
  if (storage.home !== 'aws' || storage.aws !== undefined) return []
  return [{ path: ['storage', 'aws'], message: 'is missing, but storage.home is aws', reads: [['storage']] }]
}

function canaryRules({ canary: { enabled, interval, deadline } }: Config): Contradiction[] {
  if (!enabled || deadline <= interval) return []
  const message = 'is longer than canary.interval: one round must be over when the next begins'
  return [{ path: ['canary', 'deadline'], message, reads: [['canary']] }]
}
