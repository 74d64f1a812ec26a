// Ingress: listens, admits connections within the limits, ends those whose time is over, and drains.
// Rejects at the start when an address cannot be had; afterwards nothing that a client does ends it.
import type { Server, Socket } from 'node:net'
import { formatReply } from '../mail/reply.ts'
import { createClientCount } from './client-count.ts'
import { type Connection, serveConnection } from './connection.ts'
import { type LimitSettings, limitsOf, type Timeouts } from './limits.ts'
import { type Address, addressOf, listen } from './listen.ts'
import type { Policy } from './policy.ts'
import type { BareNewline } from './reception.ts'
import { createRelayControl, type RelaySettings } from './relay-control.ts'
import { tooManyConnections } from './replies.ts'
import { openSession, type SessionSettings } from './session.ts'

export type IngressOptions = Pick<SessionSettings, 'hostname' | 'backends' | 'log' | 'metrics' | 'now'> &
  Readonly<{
    listeners: readonly (Address & Readonly<{ mode: 'mx' }>)[]
    limits: LimitSettings
    relay: RelaySettings
    policy?: Policy
    /** Milliseconds to wait before greeting; 0, the default, greets at once. */
    pregreetDelay?: number
    bareNewline?: BareNewline
  }>

export type Ingress = Readonly<{
  addresses: readonly Address[]
  /** Stops listening, lets messages that are coming in have their reply within `timeout` ms, sends the others away. */
  drain(timeout: number): Promise<void>
}>

/** Rejects with an Error that says what to do when a listener cannot be opened or a setting makes no sense. */
export async function startIngress(options: IngressOptions): Promise<Ingress> {
  const { hostname, relay, policy = {}, bareNewline = 'normalize', pregreetDelay = 0, log, metrics } = options
  const { backends, now } = options
  const limits = limitsOf(options.limits)
  const relayControl = createRelayControl(relay, hostname)
  const shared = { hostname, limits, relay: relayControl, policy, bareNewline, backends, log, metrics, now }
  const connections = new Set<Connection>()
  const clients = createClientCount(limits.connectionsPerClient)
  let closed = () => {}

  function admit(socket: Socket): void {
    // A client may be gone already; without this listener its reset would end the process.
    socket.on('error', () => {})
    const { remoteAddress, remotePort } = socket
    if (remoteAddress === undefined || remotePort === undefined) {
      socket.destroy()
      return
    }
    const address = remoteAddress.replace(/^::ffff:(?=\d+\.)/i, '')
    const reason = connections.size >= limits.connections ? 'too-many' : 'too-many-from-client'
    if (reason === 'too-many' || !clients.enter(address)) {
      turnAway(socket, reason)
      return
    }
    metrics.connectionsTotal.inc()
    metrics.connectionsActive.inc()
    const session = openSession(shared, address, remotePort)
    const connection = serveConnection(socket, session, { pregreetDelay, onClose })
    connections.add(connection)

    function onClose(seconds: number): void {
      connections.delete(connection)
      clients.leave(address)
      metrics.connectionsActive.dec()
      metrics.connectionDuration.observe(seconds)
      if (connections.size === 0) closed()
    }
  }

  function turnAway(socket: Socket, reason: 'too-many' | 'too-many-from-client'): void {
    metrics.connectionErrors.inc(reason)
    log.info({ client: socket.remoteAddress, reason }, 'turned-away')
    socket.end(formatReply(tooManyConnections), 'latin1', () => socket.destroySoon())
  }

  const servers = await listenOnAll(options.listeners, admit)
  for (const server of servers) server.on('error', error => log.error({ err: error }, 'listener-failed'))
  const sweep = setInterval(() => {
    const now = performance.now()
    for (const connection of connections) connection.expire(now)
  }, sweepInterval(limits.timeouts))
  sweep.unref()

  return {
    addresses: servers.map(addressOf),
    async drain(timeout) {
      for (const server of servers) server.close()
      const allClosed = connections.size === 0 ? undefined : new Promise<void>(resolve => (closed = resolve))
      for (const connection of connections) connection.drain()
      const lastCall = setTimeout(() => {
        for (const connection of connections) connection.destroy()
      }, timeout)
      await allClosed
      clearTimeout(lastCall)
      clearInterval(sweep)
    },
  }
}

/** All or none. */
async function listenOnAll(listeners: readonly Address[], onConnection: (socket: Socket) => void): Promise<Server[]> {
  const servers: Server[] = []
  try {
    for (const listener of listeners) servers.push(await listen(listener, onConnection))
    return servers
  } catch (error) {
    for (const server of servers) server.close()
    throw error
  }
}

/** One timer for all connections: a deadline may be missed by a quarter of the shortest time, at most by a second. */
function sweepInterval(timeouts: Timeouts): number {
  return Math.min(1000, Math.max(5, Math.min(...Object.values(timeouts)) / 4))
}
