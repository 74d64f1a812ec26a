// A resolver of our own for rspamd, which asks it dozens of names per message. It forwards to the servers of
// /etc/resolv.conf, or asks the root servers itself where that names none, and remembers what it learned.
// When its servers are silent it notices after some seconds and then answers SERVFAIL at once, so that a message
// waits milliseconds for dead DNS, not the six seconds of rspamd's own time-outs; it tries them anew every minute.
import { Resolver } from 'node:dns/promises'
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
import type { Log } from '../../src/platform/log.ts'
import { type Child, startChild } from './child.ts'
import { makeHome, writeConfiguration } from './home.ts'
import { freePort } from './port.ts'
import { resolverAnswers } from './probe.ts'
import { accountFor, findProgram } from './program.ts'

export type Unbound = Child & {
  port: number
  /** Resolves, never rejects, once its servers have answered or are known to be silent: 10 s at most. */
  warm: Promise<void>
}

export type UnboundOptions = {
  dir: string
  /** Lines of unbound's `server:` clause (local-zone, local-data): all that there is, any other name does not exist. */
  zones?: string | undefined
  /** Servers to forward to, `address` or `address@port`; default: those of /etc/resolv.conf. */
  forwardTo?: string[] | undefined
  signal?: AbortSignal | undefined
  log: Log
  searchPath?: string | undefined
}

/** Starts unbound with its files in `<dir>/unbound`. Throws `MissingProgram` or `ChildFailed`. */
export async function startUnbound(options: UnboundOptions): Promise<Unbound> {
  const { dir, zones, forwardTo = systemResolvers(), signal, log, searchPath } = options
  const program = findProgram('unbound', 'unbound', searchPath)
  const account = accountFor('unbound')
  const home = makeHome(dir, 'unbound', account)
  const port = await freePort()
  const names = zones === undefined ? forwarding(forwardTo) : `  local-zone: "." static\n${zones}\n`
  const configuration = writeConfiguration(join(home, 'unbound.conf'), serverClause(port, home) + names, account)
  const child = await startChild({
    name: 'unbound',
    program,
    args: ['-d', '-c', configuration],
    home,
    account,
    probe: () => resolverAnswers(port),
    readyWithin: 15_000,
    signal,
    log,
  })
  const resolver = new Resolver({ timeout: 2_500, tries: 1 })
  return {
    ...child,
    port,
    warm: zones === undefined ? warmUp(resolver, port, forwardTo, log) : Promise.resolve(),
    stop() {
      resolver.cancel()
      return child.stop()
    },
  }
}

/** The servers that /etc/resolv.conf names; scoped addresses (fe80::1%eth0) are left out. */
export function systemResolvers(file = '/etc/resolv.conf'): string[] {
  let text = ''
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    // None: then unbound asks the root servers.
  }
  return [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)]
    .map(match => match[1]!)
    .filter(address => isIP(address) > 0 && !address.includes('%'))
}

function serverClause(port: number, home: string): string {
  return `remote-control:
  control-enable: no
server:
  interface: 127.0.0.1
  port: ${port}
  access-control: 127.0.0.0/8 allow
  directory: "${home}"
  do-daemonize: no
  username: ""
  chroot: ""
  pidfile: ""
  use-syslog: no
  num-threads: 1
  module-config: "iterator"
  do-not-query-localhost: no
  do-ip6: ${systemResolvers().some(address => isIP(address) === 6) ? 'yes' : 'no'}
  infra-cache-max-rtt: 2000
  infra-host-ttl: 60
  infra-keep-probing: yes
`
}

function forwarding(servers: string[]): string {
  if (servers.length === 0) return ''
  return `forward-zone:\n  name: "."\n${servers.map(server => `  forward-addr: ${server}\n`).join('')}`
}

/** Asks for the root's name servers, so that silent forwarders are known before the first message comes. */
async function warmUp(resolver: Resolver, port: number, servers: string[], log: Log): Promise<void> {
  resolver.setServers([`127.0.0.1:${port}`])
  let code: string | undefined = 'ETIMEOUT'
  for (let tries = 0; tries < 4 && code === 'ETIMEOUT'; tries++) {
    code = await resolver.resolveNs('.').then(
      () => undefined,
      error => (error as NodeJS.ErrnoException).code,
    )
  }
  if (code === undefined || code === 'ECANCELLED') return
  const asked = servers.length > 0 ? servers : ['the root servers']
  log.warn({ asked, code, effect: 'rspamd scores without SPF, DKIM, DMARC and denylists' }, 'dns-unreachable')
}
