// Opens a listening socket, or says in words what is in the way and what to do about it.
import { createServer, type Server, type Socket } from 'node:net'
import { EXIT, ExitError } from '../platform/exit.ts'

export type Address = Readonly<{ address: string; port: number }>

const BACKLOG = 1024

const WAYS_OUT: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use. Stop the program that has it, or choose another port under listeners',
  EACCES: 'it is not permitted. Ports below 1024 need root or CAP_NET_BIND_SERVICE; 2525 does not',
  EADDRNOTAVAIL: 'this machine has no such address. Choose one that it has under listeners, or 0.0.0.0 for all',
}

/**
 * A socket accepts one connection in a turn of the event loop. When turns are long, because many clients keep us busy,
 * newcomers would wait for seconds: so several sockets share a port, where the system can do that.
 */
const DOORS = process.platform === 'linux' ? 16 : 1

/**
 * Resolves with listening servers, all on the same address and port (one that the system chose for 0). Connections stay
 * open for replies when the client has closed its side. Rejects with an ExitError that names address, port and what to
 * do.
 */
export async function listen({ address, port }: Address, onConnection: (socket: Socket) => void): Promise<Server[]> {
  const open = (at: Address, share: boolean) => openDoor(at, share, onConnection)
  // One that does not share the port finds out whether another program has it.
  const first = await open({ address, port }, false)
  if (DOORS === 1) return [first]
  const own = addressOf(first)
  await new Promise(resolve => first.close(resolve))
  return await Promise.all(Array.from({ length: DOORS }, () => open(own, true)))
}

function openDoor(
  { address, port }: Address,
  reusePort: boolean,
  onConnection: (socket: Socket) => void,
): Promise<Server> {
  // Small replies leave at once: Nagle's algorithm and delayed acknowledgements together cost 40 ms a turn.
  const server = createServer({ allowHalfOpen: true, noDelay: true }, onConnection)
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = WAYS_OUT[error.code ?? ''] ?? error.message
      const message = `cannot listen on ${address} port ${port}: ${why}`
      reject(new ExitError(EXIT.unavailable, message, { cause: error }))
    })
    server.listen({ host: address, port, backlog: BACKLOG, reusePort }, () =>
      resolve(server.removeAllListeners('error')),
    )
  })
}

/** Where a listening server listens. */
export function addressOf(server: Server): Address {
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new TypeError('not a listening TCP server')
  return { address: bound.address, port: bound.port }
}
