// Ingress: listens, admits connections within the limits, ends those whose time is over, and drains.
// Rejects at the start when an address cannot be had; afterwards nothing that a client does ends it.
import type { Server, Socket } from 'node:net'
import { formatReply } from '../mail/reply.ts'
import type { ListenerMode } from '../plugins/plugin.ts'
import { createClientCount } from './client-count.ts'
import { type Connection, type Ended, serveConnection } from './connection.ts'
import { type IngressSettings, type Policy, policyOf } from './ingress-settings.ts'
import type { Timeouts } from './limits.ts'
import { type Address, addressOf, listen } from './listen.ts'
import { readProxyHeader } from './proxied.ts'
import { tooManyConnections } from './replies.ts'
import { openSession, type Peer, type Session } from './session.ts'

export type Listener = Address & Readonly<{ mode: ListenerMode }>

export type IngressOptions = IngressSettings & Readonly<{ listeners: readonly Listener[] }>

export type Ingress = Readonly<{
  addresses: readonly Address[]
  /**
   * From now on new connections meet these settings; those that are open go on with theirs. Throws as at the start,
   * and then nothing has changed. The promise resolves when the last of those that are open now has ended.
   */
  reconfigure(settings: IngressSettings): Promise<void>
  /** Stops listening, lets transactions end within `timeout` ms, sends the others away. */
  drain(timeout: number): Promise<void>
}>

/** Rejects with an Error that says what to do when a listener cannot be opened or a setting makes no sense. */
export async function startIngress({ listeners, ...settings }: IngressOptions): Promise<Ingress> {
  const { log, metrics } = settings
  let policy = policyOf(settings)
  const connections = new Set<Connection>()
  const clients = createClientCount()
  const departures = new Set<(connection: Connection) => void>()

  /** Load balancers' connections that have not said whose they are. */
  const unnamed = new Set<Socket>()

  async function admit(socket: Socket, mode: ListenerMode): Promise<void> {
    // A client may be gone already; without this listener its reset would end the process.
    socket.on('error', () => {})
    const { remoteAddress, remotePort } = socket
    if (remoteAddress === undefined || remotePort === undefined) {
      socket.destroy()
      return
    }
    const direct: Peer = { address: remoteAddress.replace(/^::ffff:(?=\d+\.)/i, ''), port: remotePort, mode }
    if (!policy.isProxy(direct.address)) {
      enter(socket, direct, policy)
      return
    }
    const { connections: most, timeouts } = policy.shared.limits
    if (connections.size + unnamed.size >= most) {
      turnAway(socket, direct.address, 'too-many')
      return
    }
    unnamed.add(socket)
    const proxied = await readProxyHeader(socket, timeouts.handshake)
    unnamed.delete(socket)
    if (proxied.outcome === 'refused') {
      metrics.connectionErrors.inc('proxy')
      log.warn({ client: direct.address, why: proxied.why }, 'proxy-refused')
      socket.destroy()
    } else enter(socket, proxied.outcome === 'client' ? { ...proxied, mode } : direct, policy)
  }

  function enter(socket: Socket, peer: Peer, { shared, allows, tls, pregreetDelay }: Policy): void {
    const { address, port, mode } = peer
    const { limits } = shared
    const most = allows(address) ? Number.POSITIVE_INFINITY : limits.connectionsPerClient
    const reason = connections.size >= limits.connections ? 'too-many' : 'too-many-from-client'
    if (reason === 'too-many' || !clients.enter(address, most)) {
      turnAway(socket, address, reason)
      return
    }
    metrics.connectionsTotal.inc()
    metrics.connectionsActive.inc()
    log.debug({ client: address, port, mode }, 'connected')
    const session = openSession(shared, peer)
    const implicitTls = mode === 'submissions'
    const connection = serveConnection(socket, session, { tls, implicitTls, pregreetDelay, onClose })
    connections.add(connection)

    function onClose({ seconds, ended }: Readonly<{ seconds: number; ended: Ended }>): void {
      connections.delete(connection)
      clients.leave(address)
      metrics.connectionsActive.dec()
      metrics.connectionDuration.observe(seconds)
      log.info({ ...summaryOf(session), seconds: Number(seconds.toFixed(3)), ended }, 'session-ended')
      for (const tell of departures) tell(connection)
    }
  }

  /** Resolves when all that are open now have ended. */
  function allEnded(): Promise<void> {
    const open = new Set(connections)
    if (open.size === 0) return Promise.resolve()
    return new Promise(resolve => {
      const tell = (connection: Connection) => {
        open.delete(connection)
        if (open.size > 0) return
        departures.delete(tell)
        resolve()
      }
      departures.add(tell)
    })
  }

  function turnAway(socket: Socket, client: string, reason: 'too-many' | 'too-many-from-client'): void {
    metrics.connectionErrors.inc(reason)
    log.info({ client, reason }, 'turned-away')
    socket.end(formatReply(tooManyConnections), 'latin1', () => socket.destroySoon())
  }

  const listening = await listenOnAll(listeners, (socket, mode) =>
    admit(socket, mode).catch(error => {
      log.error({ err: error, client: socket.remoteAddress }, 'admission-failed')
      socket.destroy()
    }),
  )
  const servers = listening.flat()
  for (const server of servers) server.on('error', error => log.error({ err: error }, 'listener-failed'))
  const sweep = setInterval(() => {
    const now = performance.now()
    for (const connection of connections) connection.expire(now)
  }, sweepInterval(policy.shared.limits.timeouts))
  sweep.unref()

  return {
    addresses: listening.map(([server]) => addressOf(server!)),
    reconfigure(changed) {
      policy = policyOf(changed)
      return allEnded()
    },
    async drain(timeout) {
      for (const server of servers) server.close()
      for (const socket of unnamed) socket.destroy()
      const ended = allEnded()
      for (const connection of connections) connection.drain()
      const lastCall = setTimeout(() => {
        for (const connection of connections) connection.destroy()
      }, timeout)
      await ended
      clearTimeout(lastCall)
      clearInterval(sweep)
    },
  }
}

type OnConnection = (socket: Socket, mode: ListenerMode) => Promise<void>

/** All or none. */
async function listenOnAll(listeners: readonly Listener[], onConnection: OnConnection): Promise<Server[][]> {
  const listening: Server[][] = []
  try {
    for (const listener of listeners) {
      listening.push(await listen(listener, socket => void onConnection(socket, listener.mode)))
    }
    return listening
  } catch (error) {
    for (const server of listening.flat()) server.close()
    throw error
  }
}

/** One timer for all connections: a deadline may be missed by a quarter of the shortest time, at most by a second. */
function sweepInterval(timeouts: Timeouts): number {
  return Math.min(1000, Math.max(5, Math.min(...Object.values(timeouts)) / 4))
}

/** What version and cipher do not say. */
function tlsDetails({ tls }: Session['summary']): Readonly<Record<string, unknown>> {
  if (tls === undefined) return {}
  return { tlsResumed: tls.resumed, ...(tls.serverName !== undefined && { serverName: tls.serverName }) }
}

/** What is told of a session at its end; commands as Postfix counts them: good ones, or `good/all`. */
function summaryOf({ client, mode, summary }: Session): Readonly<Record<string, unknown>> {
  const { address, port, helo, esmtp, user, tls } = client
  const commands = Object.fromEntries(
    Array.from(summary.commands, ([verb, { good, all }]) => [
      verb.toLowerCase(),
      good === all ? all : `${good}/${all}`,
    ]),
  )
  return {
    client: address,
    port,
    mode,
    ...(helo !== '' && { helo, esmtp }),
    ...(tls !== undefined && { tls }),
    ...tlsDetails(summary),
    ...(user !== undefined && { user }),
    commands,
    accepted: summary.accepted,
    refused: summary.refused,
  }
}
