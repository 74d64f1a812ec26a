// A server that misbehaves on purpose, for the faults that the real clamd and rspamd do not show when asked to.
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'

export type StandIn = Readonly<{
  port: number
  /** Connections so far. */
  connections(): number
  [Symbol.asyncDispose](): Promise<void>
}>

/** Calls `behave` for each connection, with its number from 1 on. Nothing is read unless it reads. */
export async function standIn(behave: (socket: Socket, nth: number) => void): Promise<StandIn> {
  const open = new Set<Socket>()
  let connections = 0
  const server = createServer({ pauseOnConnect: true }, socket => {
    open.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => open.delete(socket))
    behave(socket, ++connections)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as { port: number }).port,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Reads everything; `then` is called once the request ends with `end`. */
export function afterRequest(socket: Socket, end: Buffer, then: () => void): void {
  let last = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    last = Buffer.concat([last, chunk]).subarray(-end.length)
    if (last.equals(end)) then()
  })
  socket.resume()
}
