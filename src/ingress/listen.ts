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
 * Resolves with the listening server, whose address has the port that was given for 0. Sockets stay open for replies
 * when the client has closed its side. Rejects with an ExitError that names address, port and what to do.
 */
export function listen({ address, port }: Address, onConnection: (socket: Socket) => void): Promise<Server> {
  // Small replies leave at once: Nagle's algorithm and delayed acknowledgements together cost 40 ms a turn.
  const server = createServer({ allowHalfOpen: true, noDelay: true }, onConnection)
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = WAYS_OUT[error.code ?? ''] ?? error.message
      const message = `cannot listen on ${address} port ${port}: ${why}`
      reject(new ExitError(EXIT.unavailable, message, { cause: error }))
    })
    server.listen({ host: address, port, backlog: BACKLOG }, () => resolve(server.removeAllListeners('error')))
  })
}

/** Where a listening server listens. */
export function addressOf(server: Server): Address {
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new TypeError('not a listening TCP server')
  return { address: bound.address, port: bound.port }
}
